"""Whether another rotator's entry stays, and what a mark says: the rules on their own."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from rotator.core.candidate import Candidate
from rotator.core.docker_config import DockerConfig
from rotator.core.docker_entry import login_text
from rotator.core.merging import (
    foreign_entry_stays,
    mark_needs_correction,
    marked_end,
    merge_document,
)
from rotator.core.model import Lease, Mark, Proof, Secret, Verdict
from rotator.core.record import TargetRecord
from tests.support import NOW
from tests.unit.core.builders import HOST, OTHER, login
from tests.unit.core.strategies import FINGERPRINT
from tests.unit.core.test_plan_values import hidden

if TYPE_CHECKING:
    from rotator.core.situation import Situation

HOUR = timedelta(hours=1)


def candidate(name: str, hours: float, *, lease: bool = False, **changes: Any) -> Candidate:
    """Return a candidate that its registry accepts."""
    end = NOW + hours * HOUR
    of = Lease("lease/1", end, renewable=True) if lease else None
    one = login(f"s3cr3t-{name}", expires_in=hours * 3600, lease=of)
    one = replace(one, issued_at=NOW, expires_at=end)
    return Candidate(one, name, "vault", Proof(Verdict.ACCEPTED), **changes)


def shared(
    ours: Candidate, theirs: Candidate | None, marked: float = 6, *, edited: bool = False
) -> Situation:
    """Return a document with another rotator's entry and mark, and what we would write."""
    s = hidden(chosen={HOST: ours})
    candidates = {(HOST, one.fingerprint): one for one in (ours, theirs) if one is not None}
    mark = Mark({HOST: NOW + marked * HOUR}, "hmac:another", "elsewhere")
    held = replace(s.held, withheld=False, text=Secret("{}"), mark=mark)
    return replace(
        s,
        candidates=candidates,
        past=TargetRecord(edited=mark.fingerprint if edited else ""),
        observation=replace(s.observation, held=held, config=DockerConfig()),
    )


@pytest.mark.parametrize(
    ("hours", "lease", "later"),
    [(7, False, True), (6, False, False), (5, False, False), (5, True, True), (6, True, False)],
)
def test_whose_end_is_in_the_mark(*, hours: float, lease: bool, later: bool) -> None:
    """A later one of ours; of a lease also a sooner one, as it has one owner."""
    ours = candidate("ours", hours, lease=lease)
    assert bool(mark_needs_correction(shared(ours, None), {HOST: ours})) == later
    theirs = replace(ours, foreign=True)
    assert not mark_needs_correction(shared(ours, None), {HOST: theirs})


def test_another_rotators_claim_is_passed_on_as_it_is() -> None:
    """We believe it less; who fetched it knows better."""
    claim = NOW + 20 * HOUR
    assert marked_end(candidate("theirs", 12, foreign=True, claim=claim)) == claim
    assert marked_end(candidate("ours", 12)) == NOW + 12 * HOUR


@pytest.mark.parametrize(("claimed", "stays"), [(7, True), (6, False), (5, False)])
def test_a_replaced_entry_that_is_back_stays_where_it_ends_later(
    claimed: int, *, stays: bool
) -> None:
    """Else two rotators, each of which replaced the other's once, would write in turn."""
    claim = NOW + claimed * HOUR
    theirs = candidate("theirs", 12, foreign=True, superseded=True, claim=claim)
    s = shared(candidate("ours", 6), theirs)
    assert foreign_entry_stays(s, HOST, "theirs") == stays
    s = shared(candidate("ours", 6, foreign=True), theirs)
    assert foreign_entry_stays(s, HOST, "theirs") == (claimed >= 6)


def test_an_edited_document_is_nobodys() -> None:
    """What a mark says counts no more, so ours is written."""
    ours, theirs = candidate("ours", 6), candidate("theirs", 12, foreign=True)
    assert foreign_entry_stays(shared(ours, theirs), HOST, "theirs")
    assert not foreign_entry_stays(shared(ours, theirs, edited=True), HOST, "theirs")


@pytest.mark.parametrize(
    ("ours", "theirs", "claimed", "stays"),
    [
        pytest.param(6, 6, 6, True, id="it ends together with ours"),
        pytest.param(6, 5, 5, False, id="it ends sooner"),
        pytest.param(6, 5, 12, True, id="it claims to end later, and lasts for a job"),
        pytest.param(6, 0.9, 12, False, id="it claims so, and does not last for a job"),
        pytest.param(1, 0.9, 12, True, id="it claims so, and neither of them lasts for a job"),
    ],
)
def test_when_another_rotators_entry_stays(
    ours: float, theirs: float, claimed: float, *, stays: bool
) -> None:
    """Where it is as good as ours, so that all rotators agree on one of them."""
    one = candidate("theirs", theirs, foreign=True, claim=NOW + claimed * HOUR)
    assert foreign_entry_stays(shared(candidate("ours", ours), one), HOST, "theirs") == stays


@pytest.mark.parametrize(
    ("hours", "ours", "stays"),
    [(-1, 6, False), (0, 6, False), (1, 6, False), (2, 6, True), (0.5, 1, True)],
)
def test_an_entry_stays_while_it_is_job_safe(hours: float, ours: float, *, stays: bool) -> None:
    """Whoever fetched what is written instead of it, if that is job-safe."""
    theirs = candidate("theirs", hours, foreign=True)
    s = shared(candidate("ours", ours, foreign=True), theirs)
    assert foreign_entry_stays(s, HOST, "theirs") == stays


def test_in_a_repair_the_mark_says_nothing_of_what_is_put_back() -> None:
    """It was written for a text that was damaged since, and that nobody read before."""
    ours = candidate("ours", 6)
    s = shared(ours, None, marked=12)
    entry = {"auth": base64.b64encode(b"ci:s3cr3t-old").decode()}
    damaged = replace(s.held, text=Secret('{"auths":'))
    s = replace(
        s,
        observation=replace(s.observation, held=damaged, config=None),
        remembered=DockerConfig({HOST: entry}),
    )
    assert merge_document(s).ours == {HOST: ours}


@pytest.mark.parametrize("key", [f"https://{HOST}", HOST.upper()])
def test_another_rotators_entry_stays_under_the_key_that_clients_find(key: str) -> None:
    """Whatever else is written: without the usual key no job can pull."""
    theirs, ours = candidate("theirs", 12, foreign=True), candidate("ours", 6)
    ours = replace(ours, credential=replace(ours.credential, registry=OTHER))
    entry = {"auth": base64.b64encode(b"ci:s3cr3t-theirs").decode()}
    there = login_text("ci", theirs.credential.password)
    theirs = replace(theirs, fingerprint=FINGERPRINT(there))
    s = shared(theirs, None)
    s = replace(
        s,
        chosen={HOST: theirs, OTHER: ours},
        candidates={(HOST, theirs.fingerprint): theirs, (OTHER, ours.fingerprint): ours},
        observation=replace(s.observation, config=DockerConfig({key: entry})),
    )
    assert merge_document(s).config.auths[HOST] == entry
