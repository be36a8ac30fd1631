"""Mutations of how our entries are merged into a document."""

from __future__ import annotations

from tests.simulation.mutations.mutation import in_file

MUTATIONS = (
    *in_file(
        "core/merging.py",
        (
            "merging: one username of two leases has the end of each in turn",
            "of_another = s.one_writer and s.foreign_mark is not None",
            "of_another = False",
        ),
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
                "    if fingerprint is None or s.foreign_mark is None or s.is_edited:\n"
                "        return False"
            ),
            "    return False",
        ),
        (
            "plan: another rotator's entry stays though somebody edited the document",
            "if fingerprint is None or s.foreign_mark is None or s.is_edited:",
            "if fingerprint is None or s.foreign_mark is None:",
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
            "    if entry.end >= ours.end:\n        return True",
            "    if entry.end > ours.end:\n        return True",
        ),
        (
            "plan: a later end does not reach the mark",
            "one.end > ends[registry]\n",
            "False\n",
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
            "claim >= ours.end) and (is_safe or not ours_is_safe)",
            "claim >= ours.end)",
        ),
        (
            "plan: two rotators write in turn where no life is as long as the longest job",
            "claim >= ours.end) and (is_safe or not ours_is_safe)",
            "claim >= ours.end) and is_safe",
        ),
        (
            "plan: two rotators publish each other's credentials",
            "return (ours.foreign or claim >= ours.end)",
            "return (claim >= ours.end)",
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
            'stays = registry in claimed and before.get(registry, "") == fingerprint',
            "stays = registry in claimed",
        ),
        (
            "plan: a lease's sooner end does not reach the mark",
            "or (one.credential.lease and one.end != ends[registry] and not of_another)",
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
)
