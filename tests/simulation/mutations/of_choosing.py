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
            'return "" if self.proof.verdict is Verdict.SKIPPED else self.earlier_verdict',
            'return ""',
        ),
        (
            "choose: with the proof off the last verdict counts",
            'return "" if self.proof.verdict is Verdict.SKIPPED else self.earlier_verdict',
            "return self.earlier_verdict",
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
            "return rotation.within_settle(since, now)",
            "return False",
        ),
        (
            "fetch: silence after a rejection is taken for no rejection",
            "replace(one, pending=True, earlier_verdict=str(Verdict.REJECTED))",
            "replace(one, pending=True)",
        ),
        (
            "fetch: what a source configured in another way gives waits for a later end",
            "if newer.source in early or newer.source in forced:",
            "if newer.source in early:",
        ),
        (
            "fetch: a changed secret with a sooner end is not taken",
            (
                "        if newer.source in early or newer.source in forced:\n"
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
)
