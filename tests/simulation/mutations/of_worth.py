"""Mutations of what an entry is worth, and of what a target holds after a cycle."""

from __future__ import annotations

from tests.simulation.mutations.mutation import in_file

MUTATIONS = (
    *in_file(
        "core/worth.py",
        (
            "worth: a local file that can't be read counts as last read",
            "return not observation.target.local and observation.failure.leaves_document",
            "return observation.failure.leaves_document",
        ),
        (
            "worth: an unreadable target's end is not capped by what is known now",
            (
                "    one = candidates.get((registry, fingerprint))\n"
                "    if one is not None:\n"
                "        return one.worth\n"
                "    known"
            ),
            "    known",
        ),
        (
            "worth: an unreadable target's entry that is rejected counts as good",
            "return DEAD if known is not None and _is_doubtful(known, now) else end",
            "return end",
        ),
        (
            "worth: only the first three targets count",
            ("        for target in rotation.targets\n        if target.policy.enabled"),
            ("        for target in rotation.targets[:3]\n        if target.policy.enabled"),
        ),
        (
            "worth: no enabled target is job-safe",
            "return min(limits, default=DEAD) if",
            "return min(limits, default=FOREVER) if",
        ),
        (
            "worth: a source that named no registry yet is job-safe",
            " if rotation.is_complete(record) else DEAD",
            "",
        ),
        (
            "worth: a target that follows needs no reserve, the others neither",
            "rotation.schedule.longest_job * (not target.policy.follows)]",
            "rotation.schedule.longest_job * 0]",
        ),
        (
            "worth: the latest end counts, not the earliest",
            "return min(limits, default=DEAD) if",
            "return max(limits, default=DEAD) if",
        ),
        (
            "worth: a value with one writer that somebody else wrote counts as ours",
            "return s.past.entries if _is_what_we_wrote_last(s) else {}",
            "return s.past.entries",
        ),
        (
            "worth: a value with one writer counts only where the journal names it",
            "if value is not None and _fingerprint_of_value(s) == s.fingerprint(value[0]):",
            "if False:",
        ),
        (
            "worth: credsStore and credHelpers do not matter",
            "return not (helped or config.has_rivals(registry))",
            "return not config.has_rivals(registry)",
        ),
        (
            "worth: another spelling of the registry does not matter",
            "return not (helped or config.has_rivals(registry))",
            "return not helped",
        ),
        (
            "run-once --target: what it left out counts as lost",
            ("    if observation.failure is None:\n        return True\n"),
            ("    if observation.failure is None:\n        return False\n"),
        ),
        (
            "worth: what somebody takes out again and again is good after each repair",
            ("    if past.drifted >= _TAKEN_OUT:\n        return dict.fromkeys(sources, DEAD)\n"),
            "",
        ),
        (
            "worth: of a group that can't be listed the best member counts",
            "r: min(_worth_at_last_read",
            "r: max(_worth_at_last_read",
        ),
        (
            "worth: a target that was never read counts as good",
            "end = past.ends.get(registry, DEAD)",
            "end = past.ends.get(registry, FOREVER)",
        ),
        (
            "worth: another rotator's claim counts as it is in what it wrote meanwhile",
            "return claim if longest is None else min(claim, s.now + timedelta(seconds=longest))",
            "return claim",
        ),
        (
            "worth: what another rotator wrote meanwhile without a claim is good",
            ("    if mark is None or registry not in mark.expires:\n        return DEAD\n"),
            ("    if mark is None or registry not in mark.expires:\n        return FOREVER\n"),
        ),
        (
            "worth: a hidden value whose entry was rejected is good",
            "return DEAD if _is_doubtful(known, s.now) else known.expires_at or FOREVER",
            "return known.expires_at or FOREVER",
        ),
        (
            "worth: what was issued in the future is good",
            " or is_ahead(known.issued_at, now)",
            "",
        ),
        (
            "worth: a document with a field of another type is readable",
            "if config is None or config.breaks_clients:",
            "if config is None:",
        ),
        (
            "worth: a journal of the first version knows nothing",
            "(is_ours and not entries and not past.entries)",
            "False",
        ),
        (
            "worth: a paused target counts",
            "if target.policy.enabled and target.name in ends",
            "if target.name in ends",
        ),
    ),
    *in_file(
        "core/write.py",
        (
            "worth: what a write that failed meant to write is there",
            "return None if self.failure or not",
            "return None if not",
        ),
        (
            "worth: a read that came too early is believed",
            "return isinstance(self.decision, Keep) and self.decision.stale",
            "return False",
        ),
    ),
    *in_file(
        "core/failure.py",
        (
            "worth: what is gone counts as last read",
            "return not self.gone and (ours or",
            "return (ours or",
        ),
        (
            "worth: a login that was refused makes the document gone",
            "ours = self.reason in {Reason.LOGIN_REJECTED, Reason.FORBIDDEN}",
            "ours = False",
        ),
        (
            "worth: a broken target counts as last read for good",
            "(ours or not (self.permanent or self.reason is Reason.BUG))",
            "True",
        ),
    ),
    *in_file(
        "core/report_credentials.py",
        (
            "reports: what is pending is what a person has to repair",
            "is_permanent = key not in given and not one.pending",
            "is_permanent = key not in given",
        ),
        (
            "reports: what is rejected for good is tried as if waiting helped",
            "is_permanent = key not in given and not one.pending",
            "is_permanent = False",
        ),
    ),
    *in_file(
        "core/parts.py",
        (
            "parts: the journal is saved at the end only",
            "        if lasting:\n",
            "        if False:\n",
        ),
        (
            "parts: no part knows that others follow",
            "more=part is not parts[-1]",
            "more=False",
        ),
    ),
    *in_file(
        "core/conclude.py",
        (
            "memory: nothing is carried to the next cycle",
            "tuple(one.credential for one in credentials if one.end_known), documents)",
            "(), documents)",
        ),
        (
            "conclude: job_safe stays 1",
            "job_safe = end > at.now",
            "job_safe = True",
        ),
        (
            "conclude: a part that others follow concludes the cycle",
            "    if more:\n",
            "    if False:\n",
        ),
        (
            "conclude: a partial cycle is a success",
            "succeeded_at=at.now if outcome in SUCCEEDED else record.succeeded_at,",
            "succeeded_at=at.now,",
        ),
        (
            "memory: others' entries are not remembered",
            "        documents[name] = last\n",
            "",
        ),
    ),
    *in_file(
        "core/record_targets.py",
        (
            "record: what another rotator changed counts as taken out",
            ("    if s.foreign_mark is not None:\n        return False\n"),
            "",
        ),
        (
            "record: what a conflict changed is noted as it was claimed",
            ("    record = with_document(record, fingerprint)\n    return"),
            "    return",
        ),
        (
            "record: a failure of a login that was not offered is noted anew",
            "failure=past.failure if observation.repeated else None,",
            "failure=None,",
        ),
    ),
)
