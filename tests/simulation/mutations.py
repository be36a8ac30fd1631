"""One mutation for each rule of the core: a text of its source, and what breaks the rule.

A text that is no longer there exactly once makes `make simulate-mutants` fail: put the new one
here.
"""

from __future__ import annotations

from typing import NamedTuple


class Mutation(NamedTuple):
    """A rule that is broken: `old` stands in `file` exactly once, `new` takes its place."""

    name: str
    file: str
    old: str
    new: str


MUTATIONS = (
    # Which candidate is chosen.
    Mutation(
        "choose: one that its registry rejected",
        "core/choose.py",
        "    if one.rejected or one.has_ended(now):\n        return False",
        "    if one.has_ended(now):\n        return False",
    ),
    Mutation(
        "choose: one that has ended",
        "core/choose.py",
        "    if one.rejected or one.has_ended(now):\n        return False",
        "    if one.rejected:\n        return False",
    ),
    Mutation(
        "choose: strict publishes what was not accepted",
        "core/choose.py",
        "return mode is not ProofMode.STRICT or one.accepted",
        "return True",
    ),
    Mutation(
        "choose: an unproven one replaces a proven one",
        "core/choose.py",
        "    if best is None or best.accepted:\n",
        "    if True:\n",
    ),
    Mutation(
        "choose: a proven one stays though it is not job-safe",
        "core/choose.py",
        "one.end_known and one.end - now > reserve]",
        "one.end_known]",
    ),
    Mutation(
        "choose: a superseded one of ours stays",
        "core/candidate.py",
        "return (not self.superseded, self.end,",
        "return (True, self.end,",
    ),
    Mutation(
        "choose: the sooner end wins",
        "core/choose.py",
        "best = max(usable, key=lambda one: one.rank, default=None)",
        "best = min(usable, key=lambda one: one.rank, default=None)",
    ),
    Mutation(
        "choose: one that waits to be proven is forgotten",
        "core/choose.py",
        "    if one.rejected:\n        return one.pending",
        "    if one.rejected:\n        return False",
    ),
    Mutation(
        "choose: > for >= where one waits beside the chosen one",
        "core/choose.py",
        "one.end >= chosen.end)",
        "one.end > chosen.end)",
    ),
    # What an entry is worth.
    Mutation(
        "worth: what is rejected counts as good",
        "core/candidate.py",
        "return DEAD if self.rejected else self.end",
        "return self.end",
    ),
    Mutation(
        "worth: an unknown end counts as none",
        "core/candidate.py",
        "return (self.credential.expires_at or FOREVER) if self.end_known else DEAD",
        "return self.credential.expires_at or FOREVER",
    ),
    Mutation(
        "worth: a local file that can't be read counts as last read",
        "core/worth.py",
        "return not observation.target.local and observation.failure.leaves_document",
        "return observation.failure.leaves_document",
    ),
    Mutation(
        "worth: what is gone counts as last read",
        "core/failure.py",
        "return not self.gone and (ours or",
        "return (ours or",
    ),
    Mutation(
        "worth: an unreadable target's end is not capped by what is known now",
        "core/worth.py",
        "    if one is not None:\n        return one.worth\n    if known is not None",
        "    if known is not None",
    ),
    Mutation(
        "worth: an unreadable target's entry that is rejected counts as good",
        "core/worth.py",
        "    if known is not None and known.verdict == Verdict.REJECTED:\n        return DEAD\n"
        "    return end",
        "    return end",
    ),
    Mutation(
        "worth: only the first three targets count",
        "core/worth.py",
        "        for target in rotation.targets\n        if target.policy.enabled",
        "        for target in rotation.targets[:3]\n        if target.policy.enabled",
    ),
    Mutation(
        "worth: only the first target of more than three is read",
        "core/observe.py",
        "    for target in rotation.targets:\n        if not target.policy.enabled:",
        "    for target in rotation.targets[: 1 if len(rotation.targets) > 3 else None]:\n"
        "        if not target.policy.enabled:",
    ),
    Mutation(
        "worth: no enabled target is job-safe",
        "core/worth.py",
        "return min(limits, default=DEAD) if",
        "return min(limits, default=FOREVER) if",
    ),
    Mutation(
        "worth: a source that named no registry yet is job-safe",
        "core/worth.py",
        " if rotation.is_complete(record) else DEAD",
        "",
    ),
    Mutation(
        "worth: a target that follows needs no reserve, the others neither",
        "core/worth.py",
        "rotation.schedule.longest_job * (not target.policy.follows)]",
        "rotation.schedule.longest_job * 0]",
    ),
    Mutation(
        "worth: the latest end counts, not the earliest",
        "core/worth.py",
        "return min(limits, default=DEAD) if",
        "return max(limits, default=DEAD) if",
    ),
    Mutation(
        "worth: a hidden value that somebody else wrote counts as ours",
        "core/worth.py",
        "return s.past.entries if ours and s.past.written else {}",
        "return s.past.entries",
    ),
    Mutation(
        "worth: half a login that somebody else wrote counts as ours",
        "core/worth.py",
        "return s.past.entries if s.fingerprint(text.reveal()) == s.past.written else {}",
        "return s.past.entries",
    ),
    Mutation(
        "worth: credsStore and credHelpers do not matter",
        "core/worth.py",
        "    return not (helped or config.rivals(registry))",
        "    return not config.rivals(registry)",
    ),
    Mutation(
        "worth: another spelling of the registry does not matter",
        "core/worth.py",
        "    return not (helped or config.rivals(registry))",
        "    return not helped",
    ),
    Mutation(
        "worth: a sooner end is noted only after the write",
        "core/cycle.py",
        "    noted = updates.with_sooner_end(noted, safe_until(rotation, noted, ends), now)\n",
        "",
    ),
    # What becomes of a target.
    Mutation(
        "plan: a stale read is believed",
        "core/plan.py",
        '    note = "it still shows what was there',
        '    return None\n    note = "it still shows what was there',
    ),
    Mutation(
        "plan: a hidden value is written though it can't be merged",
        "core/plan.py",
        "    if not (s.held.withheld and whole) or s.policy.merge is Merge.REPLACE:\n",
        "    if True:\n",
    ),
    Mutation(
        "plan: a hidden value loses what its source did not give (past)",
        "core/plan.py",
        "            s.past.ends.get(registry, DEAD),\n",
        "            DEAD,\n",
    ),
    Mutation(
        "plan: a hidden value loses what its source did not give (mark)",
        "core/plan.py",
        "            (claimed[registry] or FOREVER) if registry in claimed else DEAD,\n",
        "            DEAD,\n",
    ),
    Mutation(
        "plan: max for min where a hidden value's entries would be lost",
        "core/plan.py",
        "        if max(\n            s.past.ends.get(registry, DEAD),",
        "        if min(\n            s.past.ends.get(registry, DEAD),",
    ),
    Mutation(
        "plan: a hidden value is written before all sources named their registries",
        "core/plan.py",
        "    if not lost and s.complete:\n        return None",
        "    if not lost:\n        return None",
    ),
    Mutation(
        "plan: a hidden value is never compared with what was written",
        "core/plan.py",
        "    return s.past.written == written and (marked or not s.observation.target.marks)",
        "    return False",
    ),
    Mutation(
        "plan: a hidden value of somebody else is taken for ours",
        "core/plan.py",
        "    return s.past.written == written and (marked or not s.observation.target.marks)",
        "    return s.past.written == written",
    ),
    Mutation(
        "plan: a value with one writer is written again at each cycle",
        "core/plan.py",
        "    if not unchanged or not s.past.written_at <= s.now < again_at:\n        return None",
        "    return None",
    ),
    Mutation(
        "plan: a value with one writer waits for ever",
        "core/plan.py",
        "    if not unchanged or not s.past.written_at <= s.now < again_at:\n        return None",
        "    if not unchanged:\n        return None",
    ),
    Mutation(
        "plan: a damaged document is replaced, whoever wrote in it",
        "core/merging.py",
        "    if s.observation.target.sets_aside or ours:\n"
        "        return salvaged or DockerConfig()\n"
        "    return None",
        "    return salvaged or DockerConfig()",
    ),
    Mutation(
        "plan: others' entries are not remembered in a repair",
        "core/merging.py",
        "    if s.remembered is not None:\n        return s.remembered\n    salvaged",
        "    salvaged",
    ),
    Mutation(
        "plan: a damaged text is not stored beside the document",
        "core/merging.py",
        "    set_aside = damaged and s.observation.target.sets_aside and bool(_text(s).strip())",
        "    set_aside = False",
    ),
    Mutation(
        "plan: merge: replace drops entries of a source that named no registry yet",
        "core/merging.py",
        "    if s.policy.merge is Merge.PRESERVE or not s.complete:\n",
        "    if s.policy.merge is Merge.PRESERVE:\n",
    ),
    Mutation(
        "plan: merge: replace drops what it did not refresh of its own",
        "core/merging.py",
        "        if docker_config.registry_key(key) in s.registries\n"
        "    }\n    return DockerConfig(stays)",
        "        if False\n    }\n    return DockerConfig(stays)",
    ),
    Mutation(
        "plan: merge: preserve drops what others have",
        "core/merging.py",
        "    if s.policy.merge is Merge.PRESERVE or not s.complete:\n",
        "    if not s.complete:\n",
    ),
    Mutation(
        "plan: another rotator's good entry is replaced",
        "core/merging.py",
        "    if there is None or s.foreign_mark is None:\n        return False",
        "    return False",
    ),
    Mutation(
        "plan: another rotator's entry stays though it is rejected",
        "core/merging.py",
        "if not entry.foreign or entry.superseded or entry.rejected:",
        "if not entry.foreign or entry.superseded:",
    ),
    Mutation(
        "plan: > for >= where two entries end at the same time",
        "core/merging.py",
        "    if ours.foreign or entry.end >= ours.end:\n        return True",
        "    if ours.foreign or entry.end > ours.end:\n        return True",
    ),
    Mutation(
        "plan: a later end does not reach the mark",
        "core/merging.py",
        "        one.end > ends[registry] or (one.credential.lease",
        "        False or (one.credential.lease",
    ),
    Mutation(
        "plan: everybody corrects everybody's ends in the mark",
        "core/merging.py",
        "        if registry in ends and not one.foreign\n",
        "        if registry in ends\n",
    ),
    Mutation(
        "plan: another rotator's claim is passed on as we believe it",
        "core/merging.py",
        "return one.claim if one.foreign else one.credential.expires_at",
        "return one.credential.expires_at",
    ),
    Mutation(
        "docker config: keys beside auths are lost",
        "core/docker_config.py",
        "    return Merged(DockerConfig({**usable, **entries}, rest), left_out, helpers)",
        "    return Merged(DockerConfig({**usable, **entries}, {}), left_out, helpers)",
    ),
    # What is found, and until when it is believed.
    Mutation(
        "recall: a foreign claim is believed as it is",
        "core/recall.py",
        "            end = believed if end is None else min(end, believed)",
        "            end = end or believed",
    ),
    Mutation(
        "recall: the mark of an edited document is believed",
        "core/recall.py",
        "    return {} if edited else held.mark.expires",
        "    return held.mark.expires",
    ),
    Mutation(
        "recall: what has no claim is taken for endless",
        "core/recall.py",
        "        return replace(one, end_known=False)",
        "        return one",
    ),
    Mutation(
        "recall: what its owner replaced is put back from memory",
        "core/recall.py",
        "            continue  # its owner published another one since, and may end this one",
        "            pass",
    ),
    Mutation(
        "recall: what is published is fetched again",
        "core/recall.py",
        "        for registry, (username, password) in observation.config.logins().items():\n",
        "        for registry, (username, password) in ():\n",
    ),
    Mutation(
        "memory: nothing is carried to the next cycle",
        "core/conclude.py",
        "tuple(one.credential for one in credentials if one.end_known), documents)",
        "(), documents)",
    ),
    # Fetch, and what is not known yet.
    Mutation(
        "fetch: what a registry does not know yet is thrown away",
        "core/fetch.py",
        "    return since <= now < since + rotation.settle",
        "    return False",
    ),
    Mutation(
        "fetch: what is pending is so for ever",
        "core/recall.py",
        "    return replace(one, pending=pending.since <= now < pending.since + rotation.settle)",
        "    return replace(one, pending=True)",
    ),
    Mutation(
        "fetch: a changed secret with a sooner end is not taken",
        "core/fetch.py",
        "        if newer.rejected or not (force or newer.source in early):\n",
        "        if newer.rejected or not force:\n",
    ),
    Mutation(
        "fetch: a rejected answer supersedes what is good",
        "core/fetch.py",
        "        if newer.rejected or not (force or newer.source in early):\n",
        "        if not (force or newer.source in early):\n",
    ),
    Mutation(
        "fetch: an answer that lacks a registry counts as whole",
        "core/fetch.py",
        "    missing = (source.registries or frozenset()) - {login.registry for login in given}",
        "    missing: frozenset[str] = frozenset()",
    ),
    Mutation(
        "fetch: what is missing of a source counts as temporary",
        "core/fetch.py",
        "            f\"{source.name} gave nothing for {', '.join(sorted(missing))}\",\n"
        '            "see what it holds, or take the registry out of the configuration",\n'
        "            permanent=True,",
        "            f\"{source.name} gave nothing for {', '.join(sorted(missing))}\",\n"
        '            "see what it holds, or take the registry out of the configuration",\n'
        "            permanent=False,",
    ),
    # Which sources are due, and when the next cycle begins.
    Mutation(
        "due: a renewal's time does not matter",
        "core/due.py",
        "    return known.renew_at is not None and known.renew_at <= now",
        "    return False",
    ),
    Mutation(
        "due: a source that failed is asked at each cycle",
        "core/due.py",
        "    return past.attempted_at <= now < past.failure.retry_at",
        "    return False",
    ),
    Mutation(
        "due: a new login secret is not noticed",
        "core/due.py",
        "offered is not None and offered != driver.login_stamp():",
        "False:",
    ),
    Mutation(
        "due: a clock that went back is not noticed",
        "core/due.py",
        "    if step < -_CLOCK_STEP or future:\n        return Wake.CLOCK_BACK\n",
        "",
    ),
    Mutation(
        "due: a pending credential makes another be fetched",
        "core/due.py",
        "    if any(newest[registry].pending for registry in registries):\n        return False\n",
        "",
    ),
    Mutation(
        "due: what can change early is never asked again",
        "core/due.py",
        "    if past.poll_at is not None and past.poll_at <= now:\n        return True\n",
        "",
    ),
    Mutation(
        "next: a poll is not the latest",
        "core/due.py",
        "    times = [schedule.poll_at(now, rotation.schedule, u=random())]\n",
        "    times = [now + 3 * rotation.schedule.poll]\n",
    ),
    Mutation(
        "next: renewals are not in it",
        "core/due.py",
        "            times += [known.renew_at for known in newest if known.renew_at is not None]\n",
        "",
    ),
    Mutation(
        "next: a target's retry is not in it",
        "core/due.py",
        "            times.append(past_target.failure.retry_at)\n",
        "            pass\n",
    ),
    Mutation(
        "schedule: renewals may be later than the reserve",
        "core/schedule.py",
        "        offset = min(offset, 0.75 * (life - schedule.longest_job))\n",
        "        pass\n",
    ),
    Mutation(
        "schedule: waits are not capped by the life that is left",
        "core/schedule.py",
        "    return min(max(limit, lowest), schedule.retry_max)",
        "    return schedule.retry_max",
    ),
    Mutation(
        "schedule: where nothing is published it waits as long as ever",
        "core/schedule.py",
        "        return min(_URGENT, schedule.retry_max)",
        "        return schedule.retry_max",
    ),
    Mutation(
        "schedule: a renewal is drawn again at each cycle",
        "core/updates.py",
        "    if known is None or known.expires_at != login.expires_at:\n        # The attempt",
        "    if True:\n        # The attempt",
    ),
    Mutation(
        "daemon: starting is inverted",
        "daemon.py",
        "starting=slot.report is None",
        "starting=slot.report is not None",
    ),
    Mutation(
        "start: what is overdue is put off though jobs are not safe",
        "core/schedule.py",
        "    return u * min(schedule.poll, safe / 4) if safe > NOTHING else NOTHING",
        "    return u * schedule.poll",
    ),
    # Leases.
    Mutation(
        "leases: a replaced one ends at once",
        "core/leases.py",
        "        end_at = at.now + after.get(source, default)",
        "        end_at = at.now",
    ),
    Mutation(
        "leases: a replaced one lives on",
        "core/leases.py",
        "        retired.append(RetiredLease(source, lease, end_at, tuple(names[lease.id])))",
        "        pass",
    ),
    Mutation(
        "leases: what some target still holds is ended",
        "core/leases.py",
        "        current = {one.fingerprint for one in needed} | set(published)",
        "        current = {one.fingerprint for one in needed}",
    ),
    Mutation(
        "leases: a target that could not be read does not matter",
        "core/cycle.py",
        "    if observed.keys() - written.keys():\n        return frozenset()\n",
        "",
    ),
    Mutation(
        "leases: what was fetched and not published is left alive",
        "core/leases.py",
        "    return replace(record, retired=(*record.retired, *leases.values()))",
        "    return record",
    ),
    Mutation(
        "leases: another rotator's is ended",
        "core/recall.py",
        "        foreign=known.foreign,\n",
        "        foreign=False,\n",
    ),
    # The journal.
    Mutation(
        "journal: the attempt is not noted before the fetch",
        "core/cycle.py",
        "    record = _journal(record, attempts, ports, options)\n",
        "    record = attempts\n",
    ),
    Mutation(
        "journal: what is known is not noted before the first write",
        "core/cycle.py",
        "    record = _journal(record, noted, ports, options)\n",
        "    record = noted\n",
    ),
    Mutation(
        "journal: a dry run writes",
        "core/cycle.py",
        "    written = _carry_out(planned, probe if options.dry_run else write, ports)",
        "    written = _carry_out(planned, write, ports)",
    ),
    Mutation(
        "write: a conflict is not merged again",
        "core/write.py",
        "                if tries == _TRIES:\n                    raise\n",
        "                raise\n",
    ),
    Mutation(
        "write: nothing is read again where the server can't compare",
        "core/write.py",
        "        if not target.compares and isinstance(decision, Write) and others:\n",
        "        if False:\n",
    ),
    Mutation(
        "write: a server that changed what it was sent is believed",
        "core/write.py",
        "                if _is_changed(decision, after):\n",
        "                if False:\n",
    ),
    Mutation(
        "run-once --target: what it left out counts as lost",
        "core/worth.py",
        "    if observation.failure is None:\n        return True\n",
        "    if observation.failure is None:\n        return False\n",
    ),
)
"""Every mutation; each is found by the core's unit tests or by the simulation."""
