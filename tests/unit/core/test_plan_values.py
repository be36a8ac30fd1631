"""What becomes of a hidden value, and of an answer that comes late: the rules on their own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from rotator.core.candidate import Candidate
from rotator.core.model import Held, Mark, Merge, Policy, Proof, Secret, Verdict
from rotator.core.observe import Observation
from rotator.core.plan import plan, value_would_lose_entries
from rotator.core.record import TargetRecord
from rotator.core.situation import HoldBack, Keep, Situation, Write
from tests.simulation.world import WorldTarget
from tests.support import NOW
from tests.unit.core.builders import HOST, OTHER, login
from tests.unit.core.strategies import FINGERPRINT

HOUR = timedelta(hours=1)


def candidate(registry: str, **changes: Any) -> Candidate:
    """Return a candidate of ours that its registry accepts."""
    one = login("s3cr3t-a", registry, expires_in=12 * 3600)
    return Candidate(one, f"hmac:{registry}", "vault", Proof(Verdict.ACCEPTED), **changes)


def hidden(**changes: Any) -> Situation:
    """Return a hidden value of two registries, of which the second gave nothing."""
    target = WorldTarget("target", Policy(merge=Merge.REPLACE))
    one = candidate(HOST)
    usual = Situation(
        observation=Observation(target, Held(None, withheld=True)),
        past=TargetRecord(),
        rotation="dind",
        registries=frozenset({HOST, OTHER}),
        chosen={HOST: one},
        candidates={(HOST, one.fingerprint): one},
        remove=frozenset(),
        now=NOW,
        poll=HOUR,
        reserve=HOUR,
        fingerprint=FINGERPRINT,
    )
    return replace(usual, **changes)


def test_a_hidden_value_is_written_where_nothing_else_is_in_it() -> None:
    """As far as anybody knows."""
    assert isinstance(plan(hidden()), Write)


@pytest.mark.parametrize(
    ("marked", "lost"),
    [
        pytest.param((HOST,), None, id="ours"),
        pytest.param((HOST, OTHER, "removed.example.com"), None, id="what is to be removed"),
        pytest.param((HOST, "b.example.com"), "b.example.com would be lost", id="another's"),
        pytest.param((HOST, "…"), "its other entries would be lost", id="another's, and more"),
        pytest.param(None, "its other entries would be lost", id="a person's"),
    ],
)
def test_a_hidden_value_is_merged_where_its_mark_says_all_that_it_holds(
    marked: tuple[str, ...] | None, lost: str | None
) -> None:
    """A rotator made it, hidden from the first day on: nobody could read it and add to it."""
    target = WorldTarget("target", Policy(merge=Merge.PRESERVE))
    mark = None
    if marked is not None:
        named = [registry for registry in marked if registry != "…"]
        mark = Mark(dict.fromkeys(named), "hmac:before", "dind", is_whole="…" not in marked)
    held = Held(None, mark, withheld=True)
    s = hidden(observation=Observation(target, held), remove=frozenset({"removed.example.com"}))
    decision = plan(replace(s, chosen={**s.chosen, OTHER: candidate(OTHER)}))
    if lost is None:
        assert isinstance(decision, Write)
    else:
        assert isinstance(decision, HoldBack)
        assert decision.failure.detail.endswith(lost)


def test_a_hidden_value_holds_what_our_mark_had_no_room_for() -> None:
    """The journal knows it: a registry that leaves the configuration is not taken out unsaid."""
    mark = Mark({HOST: None}, "hmac:before", "dind", is_whole=False)
    target = WorldTarget("target", Policy(merge=Merge.PRESERVE))
    past = TargetRecord(("hmac:before",), entries={HOST: "hmac:1", "left.example.com": "hmac:2"})
    s = hidden(observation=Observation(target, Held(None, mark, withheld=True)), past=past)
    decision = plan(replace(s, chosen={**s.chosen, OTHER: candidate(OTHER)}))
    assert isinstance(decision, HoldBack)
    assert decision.failure.detail.endswith("left.example.com would be lost")


@pytest.mark.parametrize(
    "known",
    [
        pytest.param({"past": TargetRecord(ends={OTHER: NOW + HOUR})}, id="the last read"),
        pytest.param({"ends_written": {OTHER: NOW + HOUR}}, id="what we wrote"),
        pytest.param({"complete": False}, id="nobody knows all registries"),
    ],
)
def test_a_hidden_value_waits_for_what_would_be_lost(known: dict[str, Any]) -> None:
    """The second source's entry is still good there; when its source works, ours is written."""
    decision = value_would_lose_entries(hidden(**known))
    assert isinstance(decision, HoldBack)
    assert not decision.failure.permanent
    assert "merge: replace" not in decision.failure.hint, "that is set"


def test_a_hidden_value_waits_for_what_is_pending() -> None:
    """Its registry rejects it, and may know it in a moment."""
    waits = candidate(OTHER, pending=True)
    s = hidden(past=TargetRecord(ends={OTHER: NOW - HOUR}))
    assert value_would_lose_entries(s) is None
    s = replace(s, candidates={**s.candidates, (OTHER, waits.fingerprint): waits})
    assert isinstance(value_would_lose_entries(s), HoldBack)


def test_a_hidden_value_of_which_nothing_is_known_waits_for_what_is_pending() -> None:
    """It has no mark and the journal is lost: an entry that works may be in it."""
    waits, ours = candidate(OTHER, pending=True), candidate(HOST)
    s = hidden(candidates={(HOST, ours.fingerprint): ours, (OTHER, waits.fingerprint): waits})
    assert isinstance(value_would_lose_entries(s), HoldBack)
    assert value_would_lose_entries(replace(s, past=TargetRecord(written="hmac:1"))) is None


LATE = '{"auths":{}}'


def late(before: int, text: str) -> Situation:
    """Return a target that shows an earlier mark of ours, the `before` last, with this text."""
    names = ["hmac:3", "hmac:2", "hmac:1", "hmac:0"]
    names[before] = FINGERPRINT(LATE)
    target = WorldTarget()
    target.compares = False
    held = Held(Secret(text), Mark({}, names[before], "dind"))
    past = TargetRecord(fingerprints=tuple(names), written=names[0], written_at=NOW)
    return hidden(observation=Observation(target, held), past=past)


@pytest.mark.parametrize("before", [1, 2, 3])
def test_a_late_answer_can_be_older_than_the_last_write_but_one(before: int) -> None:
    """Two writes can follow each other closely."""
    decision = plan(late(before, LATE))
    assert isinstance(decision, Keep)
    assert decision.stale


def test_what_somebody_edited_is_no_late_answer() -> None:
    """Nobody wrote that text before: it is what is there now."""
    assert isinstance(plan(late(1, '{"auths":{},"credsStore":"desktop"}')), Write)


@pytest.mark.parametrize(("whose", "minutes"), [("hmac:before", 3), ("hmac:theirs", 51)])
def test_a_value_under_our_own_earlier_mark_is_soon_read_again(whose: str, minutes: int) -> None:
    """The read is late, if the clock was set forward since our write."""
    s = hidden()
    value = s.our_value()
    assert value is not None
    ours = FINGERPRINT(value[0])
    past = TargetRecord((ours, "hmac:before"), written=ours, written_at=NOW)
    there = Observation(s.observation.target, Held(None, Mark({}, whose, "dind"), withheld=True))
    decision = plan(replace(s, observation=there, past=past, now=NOW + timedelta(minutes=2)))
    assert isinstance(decision, Keep)
    assert decision.again_at == NOW + timedelta(minutes=minutes)
    who = "another rotator (rotation dind)" if whose == "hmac:theirs" else "somebody else"
    assert decision.notes == (
        f"{who} writes this value too; ours is written again at the next poll",
    )
