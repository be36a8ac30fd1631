"""Mutations of what becomes of a target."""

from __future__ import annotations

from tests.simulation.mutations.mutation import in_file

MUTATIONS = (
    *in_file(
        "core/plan.py",
        (
            "plan: a late read of a value is another's value until a poll has passed",
            "again_at = min(again_at, s.now + _STALE)",
            "pass",
        ),
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
            "plan: a hidden value loses what another rotator's mark names",
            "lost = sorted({*s.held.mark.expires, *ours} - s.registries - s.remove)",
            "lost: list[str] = []",
        ),
        (
            "plan: a hidden value loses what our own mark had no room for",
            "ours = () if s.foreign_mark is not None else s.past.entries",
            "ours = ()",
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
                "if mark.fingerprint == past.written or not NOTHING <= s.now - "
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
        "core/write.py",
        (
            "write: a conflict is not merged again",
            ("                if tries == _TRIES:\n                    raise\n"),
            "                raise\n",
        ),
        (
            "write: nothing is read again where the server can't compare",
            "if not target.compares and isinstance(decision, Write) and may_change:",
            "if False:",
        ),
        (
            "write: what a person edits between read and write counts as another rotator's",
            "past = replace(past, edited=held.mark.fingerprint)",
            "pass",
        ),
        (
            "write: a server that changed what it was sent is believed",
            "if _is_changed(decision, after):",
            "if False:",
        ),
        (
            "write: what nobody else writes is read again each time",
            "may_change = s.foreign_mark is not None or age > _RECENT",
            "may_change = True",
        ),
        (
            "write: an old read is not repeated",
            "may_change = s.foreign_mark is not None or age > _RECENT",
            "may_change = s.foreign_mark is not None",
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
