"""Mutations of what becomes of a target."""

from __future__ import annotations

from tests.simulation.mutations.mutation import in_file

MUTATIONS = (
    *in_file(
        "core/plan.py",
        (
            "plan: what somebody edited is taken for a late answer",
            "s.fingerprint(s.held.text.reveal()) != mark.fingerprint:",
            "False:",
        ),
        (
            "plan: a hidden value of which nothing is known loses what is pending",
            " or registry in s.past.ends or not is_known",
            " or registry in s.past.ends",
        ),
        (
            "plan: a stale read is believed",
            '    note = "it still shows what was there',
            ('    return None\n    note = "it still shows what was there'),
        ),
        (
            "plan: a hidden value is written though it can't be merged",
            "if not (s.held.withheld and whole) or s.policy.merge is Merge.REPLACE:",
            "if True:",
        ),
        (
            "plan: a hidden value loses what its source did not give (past)",
            "s.past.ends.get(registry, DEAD),",
            "DEAD,",
        ),
        (
            "plan: a hidden value loses what its source did not give (mark)",
            "(marked[registry] or FOREVER) if registry in marked else DEAD,",
            "DEAD,",
        ),
        (
            "plan: max for min where a hidden value's entries would be lost",
            "return max(ends) > s.now or",
            "return min(ends) > s.now or",
        ),
        (
            "plan: a hidden value is written before all sources named their registries",
            ("    if not lost and s.complete:\n        return None"),
            ("    if not lost:\n        return None"),
        ),
        (
            "plan: a hidden value is never compared with what was written",
            "return s.past.written == written and (marked or not s.observation.target.marks)",
            "return False",
        ),
        (
            "plan: a hidden value of somebody else is taken for ours",
            "return s.past.written == written and (marked or not s.observation.target.marks)",
            "return s.past.written == written",
        ),
        (
            "plan: a value with one writer is written again at each cycle",
            (
                "    if not unchanged or not s.past.written_at <= s.now < again_at:\n"
                "        return None"
            ),
            "    return None",
        ),
        (
            "plan: a value with one writer waits for ever",
            (
                "    if not unchanged or not s.past.written_at <= s.now < again_at:\n"
                "        return None"
            ),
            ("    if not unchanged:\n        return None"),
        ),
        (
            "plan: an empty document is written where nothing could be fetched",
            (
                "    if s.chosen or s.held.withheld or s.held.text is not None:\n"
                "        return None\n"
                "    return _nothing"
            ),
            ("    if True:\n        return None\n    return _nothing"),
        ),
        (
            "plan: a hidden value loses what is pending",
            " or (is_there and is_pending)",
            "",
        ),
        (
            "plan: what waits for a credential is what a person has to repair",
            "return HoldBack(Failure(reason, detail, hint, permanent=not waits))",
            "return HoldBack(Failure(reason, detail, hint, permanent=True))",
        ),
        (
            "plan: a hidden value without a credential is written empty",
            (
                "return Keep() if s.policy.content is not Content.DOCKER_CONFIG else "
                "_nothing_to_publish()"
            ),
            "return Keep()",
        ),
        (
            "plan: a later end does not reach the mark of a value",
            "return None if mark_needs_correction(s, value[1]) else Keep()",
            "return Keep()",
        ),
        (
            "plan: a later end does not reach the mark of a document",
            "return None if mark_needs_correction(s, merged.ours) else Keep(merged.notes)",
            "return Keep(merged.notes)",
        ),
        (
            "plan: what was ours long ago is a late read for ever",
            (
                "if mark.fingerprint == past.written or not timedelta(0) <= s.now - "
                "past.written_at < _STALE:"
            ),
            "if mark.fingerprint == past.written:",
        ),
        (
            "plan: a late read is only one of the last document but one",
            "if mark.fingerprint not in past.fingerprints[1:]:",
            "if mark.fingerprint not in past.fingerprints[1:2]:",
        ),
        (
            "plan: a server that compares is thought to answer late",
            "if s.observation.target.compares or mark is None or past.written_at is None:",
            "if mark is None or past.written_at is None:",
        ),
        (
            "plan: a damaged document is not held back",
            (
                "if s.held.text is None or s.observation.config is not None or repaired(s) is "
                "not None:"
            ),
            "if True:",
        ),
    ),
    *in_file(
        "core/merging.py",
        (
            "plan: another rotator's entry that has ended stays",
            "entry.rejected or entry.has_ended(s.now):",
            "entry.rejected:",
        ),
        (
            "plan: in a repair the mark is taken to be of what is put back",
            "if not damaged and foreign_entry_stays(",
            "if foreign_entry_stays(",
        ),
        (
            "plan: a damaged document is replaced, whoever wrote in it",
            "    if others and not (ours or s.observation.target.sets_aside):\n",
            "    if False:\n",
        ),
        (
            "plan: others' entries are not remembered in a repair",
            ("    if s.remembered is not None:\n        return s.remembered\n    salvaged"),
            "    salvaged",
        ),
        (
            "plan: a damaged text is not stored beside the document",
            "set_aside = damaged and s.observation.target.sets_aside and bool(_text(s).strip())",
            "set_aside = False",
        ),
        (
            "plan: merge: replace drops entries of a source that named no registry yet",
            "if s.policy.merge is Merge.PRESERVE or not s.complete:",
            "if s.policy.merge is Merge.PRESERVE:",
        ),
        (
            "plan: merge: replace drops what it did not refresh of its own",
            (
                "        if docker_entry.registry_key(key) in s.registries\n"
                "    }\n"
                "    return DockerConfig(stays)"
            ),
            ("        if False\n    }\n    return DockerConfig(stays)"),
        ),
        (
            "plan: merge: preserve drops what others have",
            "if s.policy.merge is Merge.PRESERVE or not s.complete:",
            "if not s.complete:",
        ),
        (
            "plan: another rotator's good entry is replaced",
            (
                "    if there is None or s.foreign_mark is None or s.is_edited:\n"
                "        return False"
            ),
            "    return False",
        ),
        (
            "plan: another rotator's entry stays though somebody edited the document",
            "if there is None or s.foreign_mark is None or s.is_edited:",
            "if there is None or s.foreign_mark is None:",
        ),
        (
            "plan: another rotator's entry stays though it is rejected",
            "entry.rejected or entry.has_ended(s.now)",
            "entry.has_ended(s.now)",
        ),
        (
            "plan: two rotators write in turn what each replaced once",
            "if entry.superseded and (claim < ours.end or",
            "if entry.superseded or (claim < ours.end or",
        ),
        (
            "plan: > for >= where two entries end at the same time",
            ("    if ours.foreign or entry.end >= ours.end:\n        return True"),
            ("    if ours.foreign or entry.end > ours.end:\n        return True"),
        ),
        (
            "plan: a later end does not reach the mark",
            "one.end > ends[registry] or (one.credential.lease",
            "False or (one.credential.lease",
        ),
        (
            "plan: everybody corrects everybody's ends in the mark",
            "if registry in ends and not one.foreign",
            "if registry in ends",
        ),
        (
            "plan: another rotator's claim is passed on as we believe it",
            "return one.claim if one.foreign else one.credential.expires_at",
            "return one.credential.expires_at",
        ),
        (
            "plan: another rotator's entry stays until it is not job-safe",
            "claim >= ours.end and entry.end - s.now > s.reserve",
            "claim >= ours.end",
        ),
        (
            "plan: ours stays away for an entry whose end nobody knows",
            ("    if not entry.end_known:\n        return not ours.end_known\n"),
            ("    if not entry.end_known:\n        return True\n"),
        ),
        (
            "plan: what another rotator wrote meanwhile is replaced",
            "return registry in expires and (expires[registry] or FOREVER) >= ours.end",
            "return False",
        ),
        (
            "plan: the mark forgets what others claim of their entries",
            "if stays and not leased:",
            "if False:",
        ),
        (
            "plan: the mark gives a new entry the end of the one before",
            'stays = registry in claimed and there.get(registry, "") == name',
            "stays = registry in claimed",
        ),
        (
            "plan: a lease's sooner end does not reach the mark",
            " or (one.credential.lease and one.end != ends[registry])",
            "",
        ),
        (
            "plan: a damaged document is repaired with nothing to publish",
            ("    if not s.chosen:\n        return None\n    if s.remembered"),
            "    if s.remembered",
        ),
        (
            "plan: merge: replace keeps a damaged document",
            "others = bool(text.strip()) and s.policy.merge is Merge.PRESERVE",
            "others = bool(text.strip())",
        ),
        (
            "plan: merge: replace drops entries of ours from a damaged document",
            "    return salvaged or DockerConfig()",
            "    return (s.policy.merge is Merge.PRESERVE and salvaged) or DockerConfig()",
        ),
    ),
    *in_file(
        "core/write.py",
        (
            "write: a conflict is not merged again",
            ("                if tries == _TRIES:\n                    raise\n"),
            "                raise\n",
        ),
        (
            "write: nothing is read again where the server can't compare",
            "if not target.compares and isinstance(decision, Write) and others:",
            "if False:",
        ),
        (
            "write: a server that changed what it was sent is believed",
            "if _is_changed(decision, after):",
            "if False:",
        ),
        (
            "write: what nobody else writes is read again each time",
            "others = s.foreign_mark is not None or began - s.now > _RECENT",
            "others = True",
        ),
        (
            "write: an old read is not repeated",
            "others = s.foreign_mark is not None or began - s.now > _RECENT",
            "others = s.foreign_mark is not None",
        ),
        (
            "write: what belongs to a document that is right is not brought in order",
            (
                "        if isinstance(decision, Keep) and target.completes:\n"
                "            target.complete(s.held)\n"
            ),
            "",
        ),
    ),
)
