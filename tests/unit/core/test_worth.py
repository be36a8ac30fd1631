"""What an entry is worth in a target that was read: the table in `core/worth.py`."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from msgspec.structs import replace

from rotator.core.errors import Reason
from rotator.core.model import Content, Merge
from tests.simulation.world import World, WorldSource
from tests.support import MARKED
from tests.unit.core.builders import (
    HOST,
    HOUR,
    OTHER,
    document,
    down,
    foreign,
    published,
    site,
    target,
)
from tests.unit.core.drivers import Place


def test_accepted_is_good_until_its_end() -> None:
    """The end is the credential's own, less the longest job."""
    here = published()
    assert here.after(60).safe_until == here.place.marked() - timedelta(hours=1)  # type: ignore[operator]


def test_without_an_end_it_is_good() -> None:
    """As long as its registry accepts it."""
    here = site(sources=[WorldSource(world := World(), life=None)])
    here.world = world
    report = here.cycle()
    assert (report.job_safe, report.safe_until) == (True, None)
    world.valid.clear()
    here.source.broken = down()
    assert here.after(301).job_safe is False


def test_unproven_is_good_until_its_end() -> None:
    """The registry can't be asked from here."""
    here = published()
    here.world.unreachable.add(HOST)
    assert here.after(60).job_safe


def test_a_credential_that_was_rejected_is_not_good_when_nobody_can_be_asked() -> None:
    """The registry's last word counts."""
    here = published()
    here.source.broken = down()
    here.world.valid.clear()
    assert here.after(60).job_safe is False
    here.world.unreachable.add(HOST)
    here.restart()
    assert here.after(60).job_safe is False


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "{",
        json.dumps({"auths": {HOST: {"auth": "?"}}}),
        json.dumps({"auths": {HOST: {}}}),
    ],
    ids=["gone", "empty", "damaged", "undecodable", "without a login"],
)
def test_missing_or_undecodable_is_not_good(text: str | None) -> None:
    """A job that starts now finds no login."""
    here = published()
    here.place.put(text)
    assert here.after(60).job_safe is False


@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param("psFormat", 1, id="no client reads it"),
        pytest.param("credsStore", "desktop", id="credsStore"),
        pytest.param("credHelpers", {HOST: "ecr-login"}, id="credHelpers"),
        pytest.param("credHelpers", {f"https://{HOST}": "ecr-login"}, id="helper's spelling"),
        pytest.param("auths", {f"https://{HOST}": {"auth": "YTpi"}}, id="another spelling"),
        pytest.param("auths", {"other": {"auth": "no base64"}}, id="undecodable neighbour"),
    ],
)
def test_a_document_in_which_clients_do_not_use_the_entry_is_not_good(
    key: str, value: object
) -> None:
    """The entry is there, and works; clients ask somebody else, or read nothing, or either one."""
    here = published()
    there = json.loads(here.place.text or "")
    there[key] = {**there.get(key, {}), **value} if isinstance(value, dict) else value
    here.place.put(json.dumps(there))
    assert here.after(60).job_safe is False


@pytest.mark.parametrize("store", ["desktop", ""])
def test_credentials_store_is_never_job_safe_though_it_is_written(store: str) -> None:
    """It is not ours to take out; the entry is published all the same, and it is said."""
    here = site()
    here.place.put(json.dumps({"auths": {}, "credsStore": store}))
    report = here.cycle()
    assert (target(report).outcome, report.job_safe) == ("written", not store)
    assert any("credsStore" in note for note in target(report).notes) is bool(store)


def test_a_helper_of_ours_is_taken_out_and_said() -> None:
    """The usual leftover of a move away from a helper."""
    here = site()
    here.place.put(json.dumps({"auths": {}, "credHelpers": {HOST: "ecr-login", OTHER: "gcr"}}))
    report = here.cycle()
    assert here.place.document.rest == {"credHelpers": {OTHER: "gcr"}}
    assert report.job_safe
    assert (HOST, "credential helper") in {(c.registry, c.why) for c in target(report).changes}


@pytest.mark.parametrize("marks", [True, False])
def test_a_withheld_value_is_as_written(*, marks: bool) -> None:
    """As long as the mark on it is the one that we wrote last."""
    here = site(targets=[Place(merge=Merge.REPLACE)])
    here.place.hidden = True
    here.place.marks = marks
    assert here.cycle().job_safe
    here.place.broken = down()
    assert here.after(60).job_safe
    if marks:
        here.place.put("theirs", foreign({HOST: None}))
        assert here.after(400).job_safe is False


def test_a_write_that_a_policy_changed_is_worth_what_is_there() -> None:
    """The server took it and holds something else: the target failed, with that word."""
    here = site()
    here.place.changed_by_policy = True
    report = here.cycle()
    failure = target(report).failure
    assert failure is not None
    assert (failure.reason, report.job_safe) == (Reason.INVALID, False)
    assert "holds something else" in failure.detail
    here.place.changed_by_policy = False
    assert here.after(300).job_safe


def test_what_is_taken_out_twice_in_a_row_is_not_safe_until_it_stays() -> None:
    """Another manager takes it back at each of its own rounds; who, is said, and what to do."""
    here = site()
    here.cycle()
    for expected in (True, False, False):
        here.place.put(document({OTHER: "s3cr3t-theirs"}))
        report = here.after(300)
        assert here.place.password() == f"{MARKED}1"
        assert report.job_safe is expected
    assert any("3 times within an hour" in note for note in target(report).notes)
    assert here.after(300).job_safe
    assert target(here.after(3 * HOUR)).notes == ()


@pytest.mark.parametrize("content", [Content.DOCKER_CONFIG, Content.PASSWORD])
def test_a_value_that_a_late_read_did_not_show_is_safe_again(content: Content) -> None:
    """It hid our first write; the next one shows it, and nothing has to be written."""
    hidden = content is Content.DOCKER_CONFIG
    place = Place(content=content, registry=None if hidden else HOST, merge=Merge.REPLACE)
    place.hidden = hidden
    here = site(targets=[place])
    here.cycle()
    ours = place.text, place.mark
    place.text, place.mark = ("s3cr3t-before", None) if hidden else (None, None)
    assert not here.after(10).job_safe
    place.text, place.mark = ours
    report = here.after(300)
    assert (target(report).outcome, report.job_safe) == ("unchanged", True)


def test_an_entry_that_a_person_wrote_meanwhile_is_worth_nothing() -> None:
    """It came between our read and our write, which fails then."""
    here = site()
    here.cycle()

    def faster() -> None:
        here.place.put(document({HOST: here.world.issue(HOST, 90000)}))
        here.place.broken = down()

    here.place.meanwhile = faster
    report = here.after(60, force=True)
    assert (target(report).outcome, report.job_safe) == ("failed", False)


@pytest.mark.parametrize("lives", [(20, 22), (22, 20)])
def test_what_another_rotator_replaced_by_a_later_one_is_not_good_when_it_is_back(
    lives: tuple[int, int],
) -> None:
    """Its owner may be about to end it, and notices that it is back at its next read only."""
    here = site()
    first, second = (here.world.issue(HOST, HOUR * hours) for hours in lives)
    marks = [
        replace(foreign({HOST: here.world.now + timedelta(hours=hours)}), fingerprint=name)
        for hours, name in zip(lives, ("hmac:f1", "hmac:f2"), strict=True)
    ]
    for password, mark in zip((first, second), marks, strict=True):
        here.place.put(document({HOST: password}), mark)
        assert here.after(60).job_safe
    here.source.broken = down()
    here.restart()
    here.place.put(document({HOST: first}), marks[0])
    good_at_once = lives[0] > lives[1]
    report = here.after(60)
    assert report.job_safe == good_at_once
    assert here.place.password() == first.reveal()
    assert report.next_at is not None
    # The next read does not wait for the next poll.
    assert (report.next_at <= here.world.now + timedelta(seconds=1)) != good_at_once
    here.wait_until(report.next_at)
    assert here.cycle().job_safe
