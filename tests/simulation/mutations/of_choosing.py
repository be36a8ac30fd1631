"""Mutations of which candidates there are, which of them is chosen, and what is fetched."""

from __future__ import annotations

from tests.simulation.mutations.mutation import in_file

MUTATIONS = (
    *in_file(
        "core/candidate.py",
        (
            "choose: a superseded one of ours stays",
            "return (not self.superseded, self.end,",
            "return (True, self.end,",
        ),
        (
            "worth: what is rejected counts as good",
            "return DEAD if self.rejected else self.end",
            "return self.end",
        ),
        (
            "worth: an unknown end counts as none",
            "return (self.credential.expires_at or FOREVER) if self.end_known else DEAD",
            "return self.credential.expires_at or FOREVER",
        ),
        (
            "choose: of two that end together another rotator's wins",
            "self.end, not self.foreign, self.fingerprint)",
            "self.end, self.foreign, self.fingerprint)",
        ),
        (
            "choose: an unknown proof makes the last verdict forgotten",
            'return "" if self.proof.verdict is Verdict.SKIPPED else self.verdict',
            'return ""',
        ),
        (
            "choose: with the proof off the last verdict counts",
            'return "" if self.proof.verdict is Verdict.SKIPPED else self.verdict',
            "return self.verdict",
        ),
    ),
    *in_file(
        "core/choose.py",
        (
            "choose: what somebody put into one target goes into all, unproven",
            "if one.foreign and not one.end_known and not one.accepted:",
            "if False:",
        ),
        (
            "choose: one that its registry rejected",
            ("    if one.rejected or one.has_ended(now):\n        return False"),
            ("    if one.has_ended(now):\n        return False"),
        ),
        (
            "choose: one that has ended",
            ("    if one.rejected or one.has_ended(now):\n        return False"),
            ("    if one.rejected:\n        return False"),
        ),
        (
            "choose: strict publishes what was not accepted",
            "return mode is not ProofMode.STRICT or one.accepted",
            "return True",
        ),
        (
            "choose: an unproven one replaces a proven one",
            "if best is None or best.accepted:",
            "if True:",
        ),
        (
            "choose: a proven one stays though it is not job-safe",
            "proven.end_known and proven.end - now > reserve",
            "proven.end_known",
        ),
        (
            "choose: the sooner end wins",
            "best = max(usable, key=lambda one: one.rank, default=None)",
            "best = min(usable, key=lambda one: one.rank, default=None)",
        ),
        (
            "choose: one that waits to be proven is forgotten",
            ("    if one.rejected:\n        return one.pending"),
            ("    if one.rejected:\n        return False"),
        ),
        (
            "choose: > for >= where one waits beside the chosen one",
            "one.end >= chosen.end)",
            "one.end > chosen.end)",
        ),
        (
            "choose: another rotator's credential waits to be proven",
            "if one.foreign or one.superseded or one.has_ended(now) or not one.end_known:",
            "if one.superseded or one.has_ended(now) or not one.end_known:",
        ),
    ),
    *in_file(
        "core/recall.py",
        (
            "recall: a foreign claim is believed as it is",
            "end = believed if end is None else min(end, believed)",
            "end = end or believed",
        ),
        (
            "recall: the mark of an edited document is believed",
            "return {} if edited else held.mark.expires",
            "return held.mark.expires",
        ),
        (
            "recall: what has no claim is taken for endless",
            "        return replace(one, end_known=False)\n    if end is None:",
            "        return one\n    if end is None:",
        ),
        (
            "recall: an end by a clock that was ahead is believed",
            "ahead = is_ahead(one.credential.issued_at, now)",
            "ahead = False",
        ),
        (
            "recall: what its owner replaced is put back from memory",
            "continue  # its owner published another one since, and may end this one",
            "pass",
        ),
        (
            "recall: what is published is fetched again",
            "for registry, (username, password) in observation.config.logins().items():",
            "for registry, (username, password) in ():",
        ),
        (
            "fetch: what is pending is so for ever",
            "waits = pending.since <= now < pending.since + rotation.settle",
            "waits = True",
        ),
        (
            "leases: another rotator's is ended",
            "foreign=known.foreign,",
            "foreign=False,",
        ),
        (
            "recall: another rotator's end goes on being believed when a life is known",
            ("    if one.end <= latest:\n        return one\n"),
            "    return one\n",
        ),
        (
            "recall: what is beyond the believed end of a claim has ended",
            (
                "    if not (ahead or (one.foreign and one.has_ended(now) and claim_lasts)):\n"
                "        return one\n"
            ),
            "    if not ahead:\n        return one\n",
        ),
        (
            "recall: what its owner lengthened keeps its old end",
            "and (claim != known.claim or is_ahead(known.issued_at, now))",
            "and is_ahead(known.issued_at, now)",
        ),
        (
            "recall: what another rotator published is doubted after our clock was ahead",
            "and (claim != known.claim or is_ahead(known.issued_at, now))",
            "and claim != known.claim",
        ),
        (
            "recall: an edit under another rotator's mark is believed in the second cycle",
            ("    if held.mark.fingerprint == past.edited:\n        return {}\n"),
            "",
        ),
        (
            "recall: an edit under a mark that was there before is believed",
            (
                "        edited = edited or any(entries.get(r) != entry for r, entry in "
                "past.entries.items())\n"
            ),
            "",
        ),
        (
            "recall: a claim is believed from now on, however old the credential is",
            "since = min(record.whole_at or record.started_at or now, now)",
            "since = now",
        ),
        (
            "recall: the token's own end does not count",
            "    end = token_end(one.credential.password)\n    if end is None and not is_marked:\n",
            "    end = None\n    if end is None and not is_marked:\n",
        ),
    ),
    *in_file(
        "core/prove.py",
        (
            "prove: what has ended is shown to its registry",
            "asked = [key for key, one in candidates.items() if not one.has_ended(now)]",
            "asked = list(candidates)",
        ),
        (
            "prove: it asks though it is off",
            "if mode is ProofMode.OFF:",
            "if False:",
        ),
    ),
    *in_file(
        "core/fetch.py",
        (
            "fetch: what a registry does not know yet is thrown away",
            "return since <= now < since + rotation.settle",
            "return False",
        ),
        (
            "fetch: silence after a rejection is taken for no rejection",
            "replace(one, pending=True, verdict=str(Verdict.REJECTED))",
            "replace(one, pending=True)",
        ),
        (
            "fetch: a changed secret with a sooner end is not taken",
            (
                "        if force or newer.source in early:\n"
                "            merged |= _superseded(candidates, newer, early)\n"
                "    return merged | dict(given)"
            ),
            (
                "        if force:\n"
                "            merged |= _superseded(candidates, newer, early)\n"
                "    return merged | dict(given)"
            ),
        ),
        (
            "fetch: a rejected answer supersedes what is good",
            ("    if newer.rejected:\n        return {}\n"),
            "",
        ),
        (
            "fetch: an answer that lacks a registry counts as whole",
            "missing = (source.registries or frozenset()) - {one.registry for one in given}",
            "missing: frozenset[str] = frozenset()",
        ),
        (
            "fetch: what is missing of a source counts as temporary",
            (
                "            f\"{source.name} gave nothing for {', '.join(sorted(missing))}\",\n"
                '            "see what it holds, or take the registry out of the configuration",\n'
                "            permanent=True,"
            ),
            (
                "            f\"{source.name} gave nothing for {', '.join(sorted(missing))}\",\n"
                '            "see what it holds, or take the registry out of the configuration",\n'
                "            permanent=False,"
            ),
        ),
        (
            "fetch: what has ended already is a success",
            ("    if over:\n        return Failure("),
            ("    if False:\n        return Failure("),
        ),
        (
            "fetch: nothing at all is a success",
            "if not given and not missing:",
            "if False:",
        ),
        (
            "fetch: of two sources for one registry the last counts",
            "if sources.get(credential.registry, name) != name:",
            "if False:",
        ),
        (
            "fetch: what was fetched by force and was pending does not replace",
            "newer.accepted and (pending.forced or newer.source in early):",
            "newer.accepted and newer.source in early:",
        ),
        (
            "fetch: whatever was pending replaces what ends later",
            "newer.accepted and (pending.forced or newer.source in early):",
            "newer.accepted:",
        ),
        (
            "fetch: a known credential that is rejected is pending",
            "if not (one.fetched and one.rejected):",
            "if not one.rejected:",
        ),
        (
            "fetch: run-once does not wait for a registry",
            "if ports.clock() - began + wait > patience:",
            "if True:",
        ),
    ),
    *in_file(
        "core/observe.py",
        (
            "worth: only the first target of more than three is read",
            ("    for target in rotation.targets:\n        if not target.policy.enabled:"),
            (
                "    for target in rotation.targets[: 1 if len(rotation.targets) > 3 else None]:\n"
                "        if not target.policy.enabled:"
            ),
        ),
        (
            "observe: a login that was refused is offered each time",
            "return failure if failure.login_stamp == target.login_stamp() else None",
            "return None",
        ),
        (
            "observe: a login that was refused waits for ever on a clock that went back",
            "if not now < failure.retry_at <= now + LOGIN_REJECTED_LONGEST:",
            "if not now < failure.retry_at:",
        ),
    ),
)
