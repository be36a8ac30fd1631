"""Mutations of what the journal holds, and of what becomes of leases."""

from __future__ import annotations

from tests.simulation.mutations.mutation import in_file

MUTATIONS = (
    *in_file(
        "core/in_use.py",
        (
            "leases: one is ended while a target holds what somebody else wrote",
            "for done in handled.values() if done.again_at is not None]",
            "for done in handled.values() if False]",
        ),
        (
            "leases: a target that could not be read does not matter",
            "entries = record.target(name).entries if observation.left_out else {}",
            "entries = {r: one.fingerprint for r, one in chosen.items()}",
        ),
        (
            "leases: a wait begins when its credential was replaced, not when that was found",
            "for entry in (*s.past.entries.values(), *entries_read(s).values())",
            "for entry in entries_read(s).values()",
        ),
        (
            "leases: a paused target's credential is ended",
            (
                "        else record.target(target.name).entries\n"
                "        for target in rotation.targets\n"
            ),
            ("        else {}\n        for target in rotation.targets\n"),
        ),
        (
            "leases: what a write that failed should replace is ended",
            "elif done.failure is not None or isinstance",
            "elif isinstance",
        ),
        (
            "leases: what is held back counts as replaced",
            " or isinstance(done.decision, HoldBack)",
            "",
        ),
    ),
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
        "core/leases.py",
        (
            "record: a crash loses the lease of what is pending",
            "retired.append(RetiredLease(one.source, lease, end_at, (one.fingerprint,)))",
            "pass",
        ),
        (
            "leases: a replaced one ends at once",
            "end_at = at.now + waits.get(source, default)",
            "end_at = at.now",
        ),
        (
            "leases: a replaced one lives on",
            (
                "retired.append(RetiredLease(source, lease, end_at, "
                "tuple(fingerprints[lease.id]), at.now))"
            ),
            "pass",
        ),
        (
            "leases: one that waits does not wait for jobs that take longer since a reload",
            "max(one.revoke_at, since + wait)",
            "one.revoke_at",
        ),
        (
            "leases: a wait that began on a clock ahead has no end",
            "since = None if one.since is None else min(one.since, at.now)",
            "since = one.since",
        ),
        (
            "leases: what some target still holds is ended",
            "current = {one.fingerprint for one in needed if not one.rejected} | in_use.published",
            "current = {one.fingerprint for one in needed if not one.rejected}",
        ),
        (
            "leases: what waits to be proven and is rejected is needed for ever",
            "current = {one.fingerprint for one in needed if not one.rejected} | in_use.published",
            "current = {one.fingerprint for one in needed} | in_use.published",
        ),
        (
            "leases: the wait goes on though its credential is used again",
            (
                "    if any(fingerprint in held for fingerprint in one.fingerprints):\n"
                "        return replace(one, revoke_at=at.now + wait, since=at.now)\n"
            ),
            "",
        ),
        (
            "leases: what another rotator put back and took out between two reads was never there",
            "if since is not None and unsure_since is not None and since >= unsure_since:",
            "if False:",
        ),
        (
            "leases: the wait begins though this cycle still found its credential",
            "held = {*current, *in_use.held_until_now}",
            "held = {*current}",
        ),
        (
            "leases: one for two registries is ended when one of them needs it no more",
            "for source, lease in (released[lease_id] for lease_id in released.keys() - needed):",
            "for source, lease in released.values():",
        ),
        (
            "leases: a clock that went back makes a wait longer",
            "revoke_at=min(planned, at.now + max(wait, rotation.settle))",
            "revoke_at=planned",
        ),
        (
            "leases: one is ended while a target can't be read",
            "    if sure_at is not None:\n",
            "    if False:\n",
        ),
        (
            "leases: a dry run ends what others retired",
            "left_alone = before.retired if dry_run else ()",
            "left_alone = ()",
        ),
        (
            "leases: what was fetched and not published is left alive",
            "return replace(record, retired=(*record.retired, *leases.values()))",
            "return record",
        ),
        (
            "leases: one that could not be ended is forgotten",
            "if not failure.permanent:",
            "if False:",
        ),
        (
            "leases: one that may not be ended is tried for ever",
            "if not failure.permanent:",
            "if True:",
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
