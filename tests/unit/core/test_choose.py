"""Which candidate is chosen, and which wait beside it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from rotator.core.candidate import Candidate
from rotator.core.choose import standby_of
from rotator.core.model import Credential, Proof, Secret, Verdict
from tests.support import NOW
from tests.unit.core.builders import HOST


def candidate(password: str, hours: float, proof: Verdict, **changes: Any) -> Candidate:
    """Return a candidate of ours that ends in so many hours."""
    login = Credential(HOST, "ci", Secret(password), NOW, NOW + timedelta(hours=hours))
    return Candidate(login, password, "vault", Proof(proof), **changes)


def test_one_that_ends_with_the_chosen_one_waits_to_be_proven() -> None:
    """A source can give two passwords that end together: the second is not thrown away."""
    chosen = candidate("s3cr3t-old", 12, Verdict.ACCEPTED)
    other = candidate("s3cr3t-new", 12, Verdict.UNKNOWN)
    both = {(HOST, one.fingerprint): one for one in (chosen, other)}
    assert standby_of(both, {HOST: chosen}, NOW) == [other]


def test_one_that_ends_before_the_chosen_one_waits_for_nothing() -> None:
    """Nobody would publish it."""
    chosen = candidate("s3cr3t-old", 12, Verdict.ACCEPTED)
    other = candidate("s3cr3t-new", 11, Verdict.UNKNOWN)
    both = {(HOST, one.fingerprint): one for one in (chosen, other)}
    assert standby_of(both, {HOST: chosen}, NOW) == []


def test_with_the_proof_off_a_rejection_of_before_counts_no_more() -> None:
    """Somebody who sets `prove: off` says that the registry's answers are wrong."""
    assert candidate("s3cr3t-a", 12, Verdict.UNKNOWN, earlier_verdict="rejected").rejected
    assert not candidate("s3cr3t-a", 12, Verdict.SKIPPED, earlier_verdict="rejected").rejected
