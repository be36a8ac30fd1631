"""Asks sources, and what their answers are worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from rotator.core import docker_config
from rotator.core.errors import Reason
from rotator.core.facts import Answered
from rotator.core.recall import Seen, with_record
from rotator.core.report import Problem, iso
from rotator.core.rotation import InHand

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from rotator.core.model import Credential
    from rotator.core.ports import Clock, Fingerprint, Source
    from rotator.core.record import Record


def ask(source: Source, previous: Sequence[Credential], clock: Clock) -> Answered:
    """Fetch from one source; return what came of it, whatever its driver raises."""
    stamp = source.login_stamp()
    begun = clock()
    credentials: tuple[Credential, ...] = ()
    try:
        credentials = tuple(source.fetch(previous))
        problem = shortcoming(source, credentials, clock())
    except Exception as error:  # noqa: BLE001  a failed fetch is an answer, a bug in it too
        problem = Problem.of(error)
    return Answered(credentials, problem, (clock() - begun).total_seconds(), stamp)


def offered(
    answers: Mapping[str, Answered], seen: Seen, record: Record, fingerprint: Fingerprint
) -> tuple[Seen, list[InHand]]:
    """Name what sources gave; return it, and apart what nobody wants.

    The first source that serves a registry counts.
    """
    found: Seen = {}
    owners: dict[str, str] = {}
    unwanted: list[InHand] = []
    for name, answer in answers.items():
        for login in answer.credentials:
            text = docker_config.login_text(login.username, login.password)
            key = (login.registry, fingerprint(text))
            known = record.known(*key)
            mine = InHand(login, key[1], name, fresh=known is None)
            if owners.setdefault(login.registry, name) != name:
                unwanted.append(mine)
                continue
            if known is not None and known.expires_at == login.expires_at:
                mine = with_record(mine, record)
            proof = seen[key].proof if key in seen else mine.proof
            found[key] = replace(mine, proof=proof, adopted=False)
    return found, unwanted


def is_better(mine: InHand, there: InHand | None, source: Source) -> bool:
    """Tell whether what a source gave is taken instead of what is in hand.

    What ends sooner is not, so that all rotators agree on what is best; except where a source
    gives what a person put there, which may be changed before its end.
    """
    if there is None or source.changes_early or there.fingerprint == mine.fingerprint:
        return True
    return mine.end >= there.end


def shortcoming(source: Source, given: Sequence[Credential], now: datetime) -> Problem | None:
    """Return what is wrong with a source's answer, though it is one; what it gave counts."""
    missing = (source.registries or frozenset()) - {login.registry for login in given}
    if not given and not missing:
        return Problem(
            Reason.FIELD_MISSING,
            f"{source.name} gave no login for any registry",
            "see what it holds",
            permanent=True,
        )
    if missing:
        return Problem(
            Reason.FIELD_MISSING,
            f"{source.name} gave nothing for {', '.join(sorted(missing))}",
            "see what it holds, or take the registry out of the configuration",
            permanent=True,
        )
    over = [login for login in given if login.expires_at is not None and login.expires_at <= now]
    if over:
        return Problem(
            Reason.EXPIRED,
            f"{source.name} gave a credential for {over[0].registry} that ended at "
            f"{iso(over[0].expires_at)}",
            "renew what it holds; if that looks right, this machine's clock is wrong: timedatectl",
            permanent=True,
        )
    return None
