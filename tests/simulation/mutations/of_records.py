"""Mutations of what the journal holds, and of the order of a cycle."""

from __future__ import annotations

from tests.simulation.mutations.mutation import in_file

MUTATIONS = (
    *in_file(
        "core/cycle.py",
        (
            "worth: a sooner end is noted only after the write",
            (
                "    record = conclude.with_sooner_end(record, safe_until(rotation, record, "
                "ends), now)\n"
            ),
            "",
        ),
        (
            "journal: the attempt is not noted before the fetch",
            "saved = _save(record, saved, ports, options, lasting=False)\n\n",
            "saved = record\n\n",
        ),
        (
            "journal: what is known is not noted before the first write",
            "_save(record, saved, ports, options, lasting=True)",
            "pass",
        ),
        (
            "journal: a dry run writes",
            "handled = carry_out(planned, ports, dry_run=options.dry_run)",
            "handled = carry_out(planned, ports, dry_run=False)",
        ),
        (
            "leases: a dry run ends the one that it lengthened",
            "fetched = [one for one in given.values() if one.fetched]",
            "fetched = list(given.values())",
        ),
        (
            "cycle: a start is not spread",
            "if options.starting:",
            "if False:",
        ),
        (
            "cycle: a source that waits is asked all the same",
            "s.name not in abandoned and not is_waiting(s, record, now)]",
            "s.name not in abandoned]",
        ),
        (
            "cycle: what is given up is fetched again at once",
            "s.name not in abandoned and not is_waiting(s, record, now)]",
            "not is_waiting(s, record, now)]",
        ),
        (
            "cycle: force does not reach what waits",
            "asked = needed if options.force else ready",
            "asked = ready",
        ),
        (
            "cycle: a dry run leaves its leases",
            "unwanted=[*unwanted, *(fetched if options.dry_run else ())],",
            "unwanted=unwanted,",
        ),
        (
            "cycle: a dry run says what it did not write",
            "after = as_read(handled) if options.dry_run else handled",
            "after = handled",
        ),
        (
            "cycle: what was taken out is not noted",
            "    record = record_targets.with_drifts(record, situations, now)\n",
            "",
        ),
        (
            "cycle: a paused rotation goes on",
            "if not rotation.enabled:",
            "if False:",
        ),
    ),
    *in_file(
        "core/record_credentials.py",
        (
            "schedule: a renewal is drawn again at each cycle",
            "if known is None or ahead or known.expires_at != credential.expires_at:",
            "if True:",
        ),
        (
            "record: a registry's verdict is not noted",
            ("            replace(known, verdict=one.verdict)\n            if known"),
            ("            known\n            if known"),
        ),
        (
            "record: what is pending is counted from each try",
            "pending[one.registry] = replace(past, tries=past.tries + 1)",
            "pending[one.registry] = replace(past, tries=past.tries + 1, since=now)",
        ),
        (
            "record: old leases are forgotten",
            "return (known, *others[: _MOST_CREDENTIALS - 1], *leased)",
            "return (known, *others[: _MOST_CREDENTIALS - 1])",
        ),
        (
            "record: what was found is renewed as if its life began now",
            "began = min(end - timedelta(seconds=longest), at.now)",
            "began = at.now",
        ),
        (
            "record: what was found is renewed too late to be job-safe",
            "return max(min(renew_at, end - plan.reserve), at.now)",
            "return renew_at",
        ),
        (
            "record: what the source gives again is due again at once",
            (
                "return schedule.renew_at(at.now, credential.expires_at, rotation.schedule, "
                "wide=wide, u=u)"
            ),
            "return renew_at",
        ),
        (
            "record: what was pending for long is renewed as if it were new",
            "if renew_at > at.now or not given:",
            "if renew_at > at.now:",
        ),
        (
            "record: a renewal after failures is not spread",
            "failing = failure is not None and failure.count > 1",
            "failing = False",
        ),
    ),
    *in_file(
        "core/record_sources.py",
        (
            "record: a wait of a source that is not needed any more stays",
            "if source not in needed:",
            "if False:",
        ),
        (
            "record: a wait that was drawn for hours of life stays when they are lost",
            "retry_at=min(failure.retry_at, at.now + longest))",
            "retry_at=failure.retry_at)",
        ),
        (
            "record: what was asked for before its time is not due until given",
            "replace(known, renew_at=min(known.renew_at, at.now)) if known.renew_at else known",
            "known",
        ),
        (
            "record: a source that is configured in another way is the old one",
            "new = SourceRecord(changed=True) if past.configured else past",
            "new = past",
        ),
        (
            "record: a source's longest life is forgotten",
            "        longest_life=longest,\n",
            "",
        ),
        (
            "record: a source that gave short lives once is never asked for longer ones",
            "poll_at = poll_at or at.now + timedelta(seconds=longest)",
            "pass",
        ),
    ),
    *in_file(
        "core/retries.py",
        (
            "record: a login that was refused is tried again as anything else",
            "if failure.reason == Reason.LOGIN_REJECTED:",
            "if False:",
        ),
        (
            "record: a secret file that appears is not noticed",
            "if failure.reason == Reason.UNREADABLE:",
            "if False:",
        ),
        (
            "record: a failure counts from its last time",
            "since=at.now if past is None else min(past.since, at.now),",
            "since=at.now,",
        ),
    ),
    *in_file(
        "core/record_targets.py",
        (
            "record: a document is forgotten when the next is planned",
            "(fingerprint, *others)[:_MOST_DOCUMENTS])",
            "(fingerprint,))",
        ),
    ),
)
