"""What holds of every choice: it is one order, whatever the candidates are asked in."""

from __future__ import annotations

from datetime import timedelta
from itertools import combinations, permutations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rotator.core.candidate import Candidate
from rotator.core.choose import choose, choose_one, is_usable, standby_of
from rotator.core.model import Credential, Proof, ProofMode, Schedule, Secret, Verdict
from rotator.core.rotation import Rotation
from tests.support import NOW
from tests.unit.core.strategies import HOST, candidates_for, new_examples

rotations = st.builds(
    lambda mode, hours: Rotation(
        "dind", (), (), Schedule(longest_job=timedelta(hours=hours)), proof=mode
    ),
    st.sampled_from(list(ProofMode)),
    st.sampled_from([0, 1, 3]),
)


def beats(one: Candidate, other: Candidate, rotation: Rotation) -> bool:
    """Tell which of two candidates is chosen; both are usable."""
    return choose_one([one, other], rotation, NOW) == one


def usable(found: list[Candidate], rotation: Rotation) -> list[Candidate]:
    """Return the candidates that may be published at all."""
    return [one for one in found if is_usable(one, rotation.proof, NOW)]


@new_examples(60)
@given(candidates_for(), rotations)
def test_the_order_of_the_candidates_does_not_matter(
    found: list[Candidate], rotation: Rotation
) -> None:
    """Each order gives the same one; None only where none is usable."""
    answers = {
        one.fingerprint if one else None
        for order in permutations(found)
        for one in [choose_one(order, rotation, NOW)]
    }
    assert len(answers) == 1
    assert (answers == {None}) == (not usable(found, rotation))


@new_examples(60)
@given(candidates_for(), rotations)
def test_of_two_one_is_better(found: list[Candidate], rotation: Rotation) -> None:
    """Never both, never neither: two rotators that know both agree."""
    for one, other in combinations(usable(found, rotation), 2):
        assert beats(one, other, rotation) != beats(other, one, rotation)


@new_examples(300)
@given(candidates_for(at_least=3), rotations)
def test_better_than_better_is_better(found: list[Candidate], rotation: Rotation) -> None:
    """The order is transitive, so the best of many is better than each of the others.

    Among those that nothing superseded; see below.
    """
    rest = usable([replace(one, superseded=False) for one in found], rotation)
    for one, other, third in permutations(rest, 3):
        if beats(one, other, rotation) and beats(other, third, rotation):
            assert beats(one, third, rotation)
    best = choose_one(rest, rotation, NOW)
    assert all(best == one or (best and beats(best, one, rotation)) for one in rest)


def test_one_that_nobody_chooses_changes_nothing() -> None:
    """A superseded credential loses against its successor, whatever else is known."""
    rotation = Rotation("dind", (), ())

    def one(password: str, hours: float, verdict: Verdict, **changes: Any) -> Candidate:
        login = Credential(HOST, "ci", Secret(password), NOW, NOW + timedelta(hours=hours))
        return Candidate(login, password, "vault", Proof(verdict), **changes)

    successor = one("s3cr3t-new", 1, Verdict.ACCEPTED)
    old = one("s3cr3t-old", 12, Verdict.ACCEPTED, superseded=True)
    unproven = one("s3cr3t-theirs", 5, Verdict.UNKNOWN, foreign=True)
    assert choose_one([successor, old], rotation, NOW) == successor
    assert choose_one([successor, old, unproven], rotation, NOW) != old


@new_examples(60)
@given(candidates_for(), rotations)
def test_only_what_works_is_chosen(found: list[Candidate], rotation: Rotation) -> None:
    """Nothing that is rejected or over; with `strict` only what was accepted."""
    best = choose_one(found, rotation, NOW)
    if best is None:
        return
    assert not best.rejected
    assert not best.has_ended(NOW)
    assert best.accepted or rotation.proof is not ProofMode.STRICT


@new_examples(60)
@given(candidates_for(), rotations)
def test_a_proven_one_makes_way_only_where_it_is_not_safe_to_keep(
    found: list[Candidate], rotation: Rotation
) -> None:
    """What was accepted and lasts for a job and a poll is better than what was not accepted."""
    best = choose_one(found, rotation, NOW)
    reserve = rotation.schedule.longest_job + rotation.schedule.poll
    accepted = [one for one in usable(found, rotation) if one.accepted]
    newest = [one for one in accepted if not one.superseded] or accepted
    lasting = [one for one in newest if one.end_known and one.end > NOW + reserve]
    assert best is None or best.accepted or not lasting


@new_examples(60)
@given(candidates_for(), rotations)
def test_what_waits_to_be_proven_is_another_one(found: list[Candidate], rotation: Rotation) -> None:
    """It is ours, it lives, and it is not chosen."""
    known = {(one.registry, one.fingerprint): one for one in found}
    chosen = choose(known, rotation, NOW)
    for one in standby_of(known, chosen, NOW):
        assert not one.foreign
        assert not one.superseded
        assert not one.has_ended(NOW)
        assert HOST not in chosen or one != chosen[HOST]
