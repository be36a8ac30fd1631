"""The step that shows candidates to their registries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from rotator.core.failure import Failure
from rotator.core.model import Proof, ProofMode, Verdict

if TYPE_CHECKING:
    from datetime import datetime

    from rotator.core.candidate import Candidate, Candidates
    from rotator.core.rotation import Ports

# Seconds after which a proof that hangs is given up. The prover has a shorter limit of its own.
PROVE_SECONDS = 15.0


def prove(
    candidates: Candidates, mode: ProofMode, ports: Ports, now: datetime
) -> dict[tuple[str, str], Candidate]:
    """Return the candidates with their registries' verdicts, `unknown` where a registry gave none.

    A credential that has ended is not shown to its registry.
    """
    if mode is ProofMode.OFF:
        skipped = Proof(Verdict.SKIPPED)
        return {key: replace(one, proof=skipped) for key, one in candidates.items()}
    asked = [key for key, one in candidates.items() if not one.has_ended(now)]
    logins = [candidates[key].credential for key in asked]
    proven = dict(candidates)
    for key, answer in zip(asked, ports.each(ports.prove, logins, PROVE_SECONDS), strict=True):
        if not isinstance(answer, Proof):
            answer = Proof(Verdict.UNKNOWN, Failure.of(answer).detail)  # noqa: PLW2901
        proven[key] = replace(proven[key], proof=answer)
    return proven
