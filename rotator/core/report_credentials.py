"""What a cycle reports of each registry's credential, and of the rotation as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from rotator.core.errors import Reason
from rotator.core.failure import Failure
from rotator.core.report import CredentialReport, iso

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from rotator.core.candidate import Candidate, Candidates
    from rotator.core.fetch import Answer
    from rotator.core.record import Record
    from rotator.core.rotation import Rotation


def unusable(
    candidates: Candidates, given: Candidates, rotation: Rotation, record: Record, now: datetime
) -> dict[str, tuple[Candidate, Failure]]:
    """Return the fetched credentials that can't be published, by registry, and why.

    They were fetched in this cycle (`given`), or were pending until now.
    """
    found = {}
    for key, one in candidates.items():
        pending = record.pending.get(one.registry)
        waited = pending is not None and pending.fingerprint == one.fingerprint
        if one.foreign or not (key in given or waited):
            continue
        if one.rejected:
            failure = _rejection(one, pending.since if pending else now, rotation)
            # What is neither pending nor new had all of `settle`.
            is_permanent = key not in given and not one.pending
            found[one.registry] = one, replace(failure, permanent=is_permanent)
        elif not one.accepted and rotation.proof == "strict":
            found[one.registry] = one, _unproven(one)
    return found


def credential_reports(
    rotation: Rotation,
    record: Record,
    chosen: Mapping[str, Candidate],
    standby: Collection[Candidate],
    answers: Mapping[str, Answer],
    unusable: Mapping[str, tuple[Candidate, Failure]],
) -> list[CredentialReport]:
    """Return what became of each registry's credential.

    A source whose registries are not known yet has one report, without a registry.
    """
    sources = rotation.sources_by_registry(record)
    unproven = {one.registry: one for one in standby if not one.rejected}
    reports = []
    for source in rotation.sources:
        past = record.source(source.name).failure
        failure = Failure.recorded(past) if past is not None else None
        answer = answers.get(source.name)
        gave = answer is not None and answer.failure is None
        registries: list[str | None] = [r for r, name in sources.items() if name == source.name]
        for registry in registries or [None]:
            one, waits = chosen.get(registry or ""), unproven.get(registry or "")
            refusal = unusable.get(registry or "")
            if refusal is not None:
                outcome = _unusable_outcome(refusal[0], one)
                reports.append(_report(registry, source.name, outcome, refusal[0], refusal[1]))
            elif waits is not None and one is not None:
                reports.append(_report(registry, source.name, "kept", one, _unproven(waits)))
            elif one is not None and (gave or failure is None):
                reports.append(
                    _report(registry, source.name, "fetched" if gave else "fresh", one, None)
                )
            else:
                outcome = "failed" if one is None else "kept"
                reports.append(_report(registry, source.name, outcome, one, failure))
    return reports


def notes(
    rotation: Rotation, record: Record, surplus: Iterable[Candidate], unwanted: Iterable[Candidate]
) -> list[str]:
    """Return what a person should know of the whole rotation."""
    sources = rotation.sources_by_registry(record)
    double = [
        f"what {one.source} gave for {one.registry} is not used: {sources[one.registry]} is first"
        for one in surplus
    ]
    sooner = [
        f"what {one.source} gave ends sooner than what is published for {one.registry}, which stays"
        for one in unwanted
        if not one.rejected and sources.get(one.registry) == one.source
    ]
    known = record.credentials.keys() if rotation.is_complete(record) else set()
    gone = known - sources.keys() - rotation.remove
    left = [
        f"{registry} is no longer configured; its entry stays where it is. "
        f"To take it out everywhere: remove: [{registry}]"
        for registry in sorted(gone)
    ]
    return [*double, *sooner, *left]


def _unusable_outcome(one: Candidate, chosen: Candidate | None) -> str:
    if one.rejected:
        return "pending" if one.pending else "rejected"
    return "failed" if chosen is None else "kept"


def _report(
    registry: str | None,
    source: str,
    outcome: str,
    one: Candidate | None,
    failure: Failure | None,
) -> CredentialReport:
    if one is None:
        return CredentialReport(registry, source, outcome, "skipped", failure=failure)
    return CredentialReport(
        registry=registry,
        source=source,
        outcome=outcome,
        proof=str(one.proof.verdict),
        expires_at=one.credential.expires_at,
        fingerprint=one.fingerprint,
        failure=failure,
    )


def _rejection(one: Candidate, since: datetime, rotation: Rotation) -> Failure:
    if one.pending:
        until = iso(since + rotation.settle)
        return Failure(
            Reason.REJECTED,
            f"{one.registry} does not accept the new credential of {one.source} yet: "
            f"{one.proof.detail}",
            f"wait: a running daemon asks again until {until} (`settle`), then fetches another; "
            "without one type: rotator run-once",
        )
    return Failure(
        Reason.REJECTED,
        f"{one.registry} rejects the credential that {one.source} gave: {one.proof.detail}",
        f"try it yourself: docker login {one.registry}; then repair what {one.source} holds",
    )


def _unproven(one: Candidate) -> Failure:
    return Failure(
        Reason.UNREACHABLE,
        f"{one.registry} could not be asked about the new credential: {one.proof.detail}",
        "it is published when the registry accepts it; `prove: lenient` publishes it without that "
        "when what is published now no longer lasts for `longest_job`",
    )
