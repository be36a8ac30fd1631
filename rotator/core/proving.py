"""Shows credentials to their registries, and what a verdict means for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from rotator.core.model import Proof, ProofMode, Verdict
from rotator.core.report import Problem

if TYPE_CHECKING:
    from rotator.core.recall import Seen
    from rotator.core.record import Record
    from rotator.core.rotation import InHand, Ports

# Seconds after which a proof that hangs is given up. The prover has a shorter limit of its own.
_SECONDS = 15.0


def prove(offered: Seen, mode: ProofMode, ports: Ports) -> Seen:
    """Return the credentials with their registries' verdicts; `unknown` where none was given."""
    if mode is ProofMode.OFF:
        skipped = Proof(Verdict.SKIPPED)
        return {key: replace(mine, proof=skipped) for key, mine in offered.items()}
    logins = [mine.credential for mine in offered.values()]
    answers = ports.each(ports.prove, logins, _SECONDS)
    return {
        key: replace(mine, proof=answer)
        if isinstance(answer, Proof)
        else replace(mine, proof=Proof(Verdict.UNKNOWN, Problem.of(answer).detail))
        for (key, mine), answer in zip(offered.items(), answers, strict=True)
    }


def accepted(mine: InHand, mode: ProofMode) -> bool:
    """Tell whether a proof allows this credential to be published."""
    if mode is ProofMode.STRICT:
        return mine.proof.verdict is Verdict.ACCEPTED
    return mine.proof.verdict is not Verdict.REJECTED


def rejected(seen: Seen, record: Record) -> frozenset[str]:
    """Return the registries that no longer accept what was in hand when the last cycle ended."""
    newest = {registry: known[0] for registry, known in record.credentials.items() if known}
    asked = {
        registry: seen.get((registry, known.fingerprint)) for registry, known in newest.items()
    }
    return frozenset(
        registry
        for registry, mine in asked.items()
        if mine is not None and mine.proof.verdict is Verdict.REJECTED
    )
