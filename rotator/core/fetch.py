"""The step that asks the sources that are due, and makes candidates of what they give."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from rotator.core.candidate import UNPROVEN, Candidate, key_of
from rotator.core.errors import Reason
from rotator.core.failure import Failure
from rotator.core.model import Credential, Verdict
from rotator.core.prove import prove
from rotator.core.recall import with_record
from rotator.core.report import iso
from rotator.core.schedule import is_ahead, pending_wait

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime, timedelta

    from rotator.core.candidate import Candidates
    from rotator.core.ports import Clock, Fingerprint, Source
    from rotator.core.record import Record
    from rotator.core.rotation import Ports, Rotation

# Seconds after which a call that hangs is given up. Drivers have shorter timeouts of their own.
FETCH_SECONDS = 60.0


class Answer(Struct, frozen=True):
    """What came of asking a source: credentials or a failure, and how many seconds it took.

    `login_stamp`: what its login secret was when it was asked.
    """

    credentials: tuple[Credential, ...] = ()
    failure: Failure | None = None
    seconds: float = 0.0
    login_stamp: str | None = None


def fetch(
    sources: Sequence[Source], chosen: Mapping[str, Candidate], record: Record, ports: Ports
) -> dict[str, Answer]:
    """Ask these sources at once; return what came of each by its name, whatever it raises."""
    previous = {
        source.name: tuple(c.credential for c in chosen.values() if c.source == source.name)
        for source in sources
    }

    for source in sources:
        source.learned = source.learned or record.source(source.name).learned

    def ask(source: Source) -> Answer:
        return ask_one(source, previous[source.name], ports.clock)

    answers = ports.each(ask, sources, FETCH_SECONDS)
    return {
        source.name: Answer(failure=Failure.of(one)) if isinstance(one, Exception) else one
        for source, one in zip(sources, answers, strict=True)
    }


def ask_one(source: Source, previous: Sequence[Credential], clock: Clock) -> Answer:
    """Fetch from one source; return what came of it, whatever its driver raises."""
    stamp = source.login_stamp()
    began = clock()
    credentials: tuple[Credential, ...] = ()
    try:
        credentials = tuple(source.fetch(previous))
        failure = shortcoming(source, credentials, clock())
    except Exception as error:  # noqa: BLE001  a failed fetch is an answer, a bug in it too
        failure = Failure.of(error)
    return Answer(credentials, failure, (clock() - began).total_seconds(), stamp)


def shortcoming(source: Source, given: Sequence[Credential], now: datetime) -> Failure | None:
    """Return what an answer lacks; the credentials that it has are used all the same."""
    missing = (source.registries or frozenset()) - {one.registry for one in given}
    if not given and not missing:
        return Failure(
            Reason.FIELD_MISSING,
            f"{source.name} gave no login for any registry",
            "see what it holds",
            permanent=True,
        )
    if missing:
        return Failure(
            Reason.FIELD_MISSING,
            f"{source.name} gave nothing for {', '.join(sorted(missing))}",
            "see what it holds, or take the registry out of the configuration",
            permanent=True,
        )
    over = [one for one in given if one.expires_at is not None and one.expires_at <= now]
    if over:
        return Failure(
            Reason.EXPIRED,
            f"{source.name} gave a credential for {over[0].registry} that ended at "
            f"{iso(over[0].expires_at)}",
            "renew what it holds; if that looks right, this machine's clock is wrong: timedatectl",
            permanent=True,
        )
    return None


def fetched_candidates(
    answers: Mapping[str, Answer],
    known: Candidates,
    record: Record,
    sources: Mapping[str, str],
    fingerprint: Fingerprint,
) -> tuple[dict[tuple[str, str], Candidate], list[Candidate]]:
    """Return the candidates that sources gave; apart, those for a registry of another source.

    `sources`: the source of each registry, asked now or not; of two the first counts. `known`: the
    candidates from before the fetch.
    """
    found: dict[tuple[str, str], Candidate] = {}
    surplus: list[Candidate] = []
    for name, answer in answers.items():
        for credential in answer.credentials:
            key = key_of(credential, fingerprint)
            past = record.known(*key)
            one = Candidate(credential, key[1], name, fetched=past is None)
            if sources.get(credential.registry, name) != name:
                surplus.append(one)
                continue
            if past is not None:
                one = replace(one, earlier_verdict=past.verdict)
                ahead = is_ahead(past.issued_at, credential.issued_at)
                if past.expires_at == credential.expires_at and not ahead:
                    one = with_record(one, past, record)
            if key in known:
                one = replace(one, proof=known[key].proof)
            found[key] = replace(one, foreign=False, superseded=False)
    return found, surplus


def with_fetched(
    candidates: Candidates,
    given: Candidates,
    sources: Sequence[Source],
    forced: Collection[str],
) -> dict[tuple[str, str], Candidate]:
    """Return all candidates; those that a fetch replaced are superseded.

    What a source gives that changes early, or that is `forced`, replaces even what ends later: a
    person put it there, or asked for it. Elsewhere the later end wins, so that all rotators agree
    on what is best.
    """
    merged = dict(candidates)
    early = _early(sources)
    for newer in given.values():
        if newer.source in early or newer.source in forced:
            merged |= _superseded(candidates, newer, early)
    return merged | dict(given)


def with_resolved(
    candidates: Candidates, rotation: Rotation, record: Record
) -> dict[tuple[str, str], Candidate]:
    """Return all candidates; those that a credential replaced are superseded.

    It was pending and is accepted now, and replaces what it would have replaced when it was
    fetched.
    """
    merged = dict(candidates)
    early = _early(rotation.sources)
    for registry, pending in record.pending.items():
        newer = candidates.get((registry, pending.fingerprint))
        if newer is not None and newer.accepted and (pending.forced or newer.source in early):
            merged |= _superseded(candidates, newer, early)
    return merged


def _early(sources: Sequence[Source]) -> set[str]:
    return {source.name for source in sources if source.changes_early}


def _superseded(
    candidates: Candidates, newer: Candidate, early: Collection[str]
) -> dict[tuple[str, str], Candidate]:
    """Return the candidates that a newer one replaces; nothing where its registry rejects it."""
    if newer.rejected:
        return {}
    return {
        key: replace(one, superseded=True)
        for key, one in candidates.items()
        if one.registry == newer.registry
        and one.fingerprint != newer.fingerprint
        and (newer.source in early or not one.foreign)
    }


def until_accepted(
    given: Candidates,
    rotation: Rotation,
    record: Record,
    ports: Ports,
    patience: timedelta,
) -> dict[tuple[str, str], Candidate]:
    """Return the fetched candidates, proven; pending are those that a registry does not know yet.

    Some registries and dynamic engines know a new login only seconds or minutes after they issued
    it. Such a candidate is pending for `settle`. A run that has `patience` asks for it again at
    once, after 0.5, 1, 2, 4 … s.
    """
    began = ports.clock()
    unproven = {key: one for key, one in given.items() if one.proof == UNPROVEN}
    proven = dict(given) | prove(unproven, rotation.proof, ports, began)
    tries = 1
    while pending := {
        key: replace(one, pending=True, earlier_verdict=str(Verdict.REJECTED))
        for key, one in proven.items()
        if _is_pending(one, rotation, record, began, ports.clock())
    }:
        proven |= pending
        wait = pending_wait(tries)
        if ports.clock() - began + wait > patience:
            break
        ports.pause(wait.total_seconds())
        again = prove(pending, rotation.proof, ports, ports.clock())
        proven |= {key: replace(one, pending=False) for key, one in again.items()}
        tries += 1
    return proven


def _is_pending(
    one: Candidate, rotation: Rotation, record: Record, began: datetime, now: datetime
) -> bool:
    """Tell whether a registry that rejects a fetched credential may still learn of it."""
    if not (one.fetched and one.rejected):
        return False
    past = record.pending.get(one.registry)
    since = past.since if past is not None and past.fingerprint == one.fingerprint else began
    return rotation.within_settle(since, now)
