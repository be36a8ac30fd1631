"""Mutations of what targets hold and what is recalled of it."""

from __future__ import annotations

from tests.simulation.mutations.mutation import in_file

MUTATIONS = (
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
            "waits = rotation.within_settle(pending.since, now)",
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
            "counts = claim == known.claim and not is_ahead(known.issued_at, now)",
            "counts = not is_ahead(known.issued_at, now)",
        ),
        (
            "recall: a lease that the twin of a copied host lengthened keeps its old end",
            "counts = not (retired and (claim or FOREVER) > (known.expires_at or FOREVER))",
            "counts = True",
        ),
        (
            "recall: what another rotator published is doubted after our clock was ahead",
            "counts = claim == known.claim and not is_ahead(known.issued_at, now)",
            "counts = claim == known.claim",
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
