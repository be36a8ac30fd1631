"""Mutations of which credentials are in use, and of what becomes of leases."""

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
)
