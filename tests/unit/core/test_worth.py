"""What an entry is worth: the table in `core/worth.py`, a row a test."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from rotator.core.errors import GoneError, LoginRejectedError, PermanentError, Reason
from rotator.core.failure import Failure
from rotator.core.model import Content, Lease, Merge, ProofMode, Secret
from rotator.core.token_end import token_end
from tests.simulation.world import World, WorldSource
from tests.support import MARKED
from tests.unit.core.builders import (
    HOST,
    HOUR,
    OTHER,
    Fixed,
    Place,
    Site,
    document,
    down,
    foreign,
    login,
    seconds_until,
    site,
    target,
)


def published(**policy: object) -> Site:
    """Return a rotator that has published, and can write no more."""
    here = site(targets=[Place(**policy)])
    here.cycle()
    here.place.broken = down()
    return here


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
    "more",
    [
        {"psFormat": 1},
        {"credsStore": "desktop"},
        {"credHelpers": {HOST: "ecr-login"}},
        {"credHelpers": {f"https://{HOST}": "ecr-login"}},
    ],
    ids=["no client reads it", "credsStore", "credHelpers", "credHelpers, spelled otherwise"],
)
def test_a_document_in_which_clients_do_not_use_the_entry_is_not_good(more: object) -> None:
    """The entry is there, and works; clients ask somebody else, or read nothing."""
    here = published()
    there = json.loads(here.place.text or "")
    here.place.put(json.dumps({**there, **more}))  # type: ignore[dict-item]
    assert here.after(60).job_safe is False


def test_a_key_that_rivals_ours_is_not_good() -> None:
    """Clients do not agree on which of the two they take."""
    here = published()
    there = json.loads(here.place.text or "")
    there["auths"][f"https://{HOST}"] = {"auth": "YTpi"}
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


@pytest.mark.parametrize(
    ("error", "safe"),
    [
        (down(), True),
        (LoginRejectedError("401", "make a new token"), True),
        (PermanentError(Reason.FORBIDDEN, "403", "ask"), True),
        (PermanentError(Reason.NOT_FOUND, "no such namespace", "make it"), False),
        (GoneError(Reason.UNSAFE_PATH, "a pipe", "remove it"), False),
        (ValueError("nobody meant this"), False),
    ],
    ids=["unreachable", "login", "forbidden", "not found", "gone", "bug"],
)
@pytest.mark.parametrize("local", [False, True])
def test_a_target_that_can_not_be_read(error: Exception, *, safe: bool, local: bool) -> None:
    """As it was at the last read where jobs go on reading it; never a local file."""
    here = published()
    here.place.local = local
    promised = here.record.safe_until
    here.place.unreadable = error
    report = here.after(60)
    assert report.job_safe is (safe and not local)
    assert report.safe_until == (promised if report.job_safe else None)


def test_what_was_read_last_counts_and_not_what_was_written() -> None:
    """A person took it out, and then nobody could read it any more."""
    here = published()
    here.place.put(document({}))
    here.after(60)
    here.place.unreadable = down()
    assert here.after(60).job_safe is False


def test_a_target_that_can_not_be_read_ends_with_what_it_held() -> None:
    """Something newer elsewhere does not make it last longer."""
    one, two = Place("one"), Place("two")
    here = site(targets=[one, two])
    here.cycle()
    end = here.world.now + timedelta(hours=12)
    one.unreadable = down()
    report = here.after(120, force=True)
    assert two.password() == f"{MARKED}2"
    assert report.safe_until == end - timedelta(hours=1)


def test_a_journal_of_the_first_version_names_no_entries() -> None:
    """Then no more is promised than what is chosen lasts."""
    one, two = Place("one"), Place("two")
    here = site(targets=[one, two])
    here.cycle()
    journal = json.loads(here.journal.text)
    far = "2027-01-01T00:00:00Z"
    for name in ("one", "two"):
        del journal["targets"][name]["entries"]
        journal["targets"][name] |= {"ends": {HOST: far}, "end": far}
    here.journal.text = json.dumps(journal)
    one.unreadable = down()
    end = here.world.now + timedelta(hours=12)
    assert here.after(60).safe_until == end - timedelta(hours=1)


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


def test_without_an_enabled_target_nothing_is_safe() -> None:
    """No job can pull from nowhere."""
    here = site(targets=[Place(enabled=False)])
    report = here.cycle()
    assert (report.job_safe, report.safe_until) == (False, None)


def test_what_another_rotator_wrote_between_our_read_and_our_write_is_worth_its_claim() -> None:
    """Its mark counts until it is proven, no longer than our source gives."""
    here = site()
    here.cycle(force=True)
    password = here.world.issue(HOST, 90000)
    claim = here.world.now + timedelta(days=1)

    def faster() -> None:
        here.place.put(document({HOST: password}), foreign({HOST: claim}))

    here.place.meanwhile = faster
    report = here.after(60, force=True)
    assert here.place.password() == password.reveal()
    assert report.safe_until == here.world.now + timedelta(hours=11)
    assert seconds_until(report.next_at, here.world) == 1
    assert seconds_until(here.after(1).next_at, here.world) > 60


# What a cycle does not deal with


def test_only_some_targets_are_dealt_with_and_the_others_count_as_last_read() -> None:
    """`run-once --target one`: the rotation is not job-safe while the other one holds nothing."""
    one, two = Place("one"), Place("two")
    here = site(targets=[one, two])
    report = here.cycle(only=frozenset({"one"}))
    assert (one.password(), two.text) == (f"{MARKED}1", None)
    assert [reported.name for reported in report.targets] == ["one"]
    assert report.job_safe is False
    here.cycle()
    report = here.after(60, only=frozenset({"one"}))
    assert report.job_safe
    assert here.record.target("two").outcome == "written"


def test_a_target_out_of_reach_is_left_out_by_name() -> None:
    """A call on it hangs in another process: the others are written."""
    one, two = Place("one"), Place("two")
    here = site(targets=[one, two])
    held = down("a call hangs")

    def out_of_reach(name: str) -> object:
        return Failure.of(held) if name == "two" else None

    report = here.cycle(out_of_reach=out_of_reach)
    assert (one.password(), two.text, two.reads) == (f"{MARKED}1", None, 0)
    failure = target(report, "two").failure
    assert failure is not None
    assert failure.detail == "a call hangs"
    assert (report.outcome, report.job_safe) == ("partial", False)


def test_a_dry_run_promises_nothing_that_is_not_published() -> None:
    """And asks the server whether it would take the write, where it can be asked."""
    here = site()
    here.place.probes_writes = True
    report = here.cycle(force=True, dry_run=True)
    assert (target(report).outcome, report.job_safe) == ("planned", False)
    assert here.place.probed == 1
    here.place.refuses_probe = PermanentError(Reason.INVALID, "denied by a policy", "ask")
    report = here.cycle(force=True, dry_run=True)
    assert target(report).outcome == "failed"
    assert here.place.text is None


# Groups


class Group(Place):
    """One configured target that stands for some places."""

    is_group = True

    def __init__(self, *members: Place) -> None:
        super().__init__("group")
        self.in_place_of = members
        for member in members:
            member.group = "group"

    def members(self) -> tuple[Place, ...]:
        """Return them, unless the server can't be asked."""
        if self.unreadable is not None:
            raise self.unreadable
        return self.in_place_of


def test_a_group_is_written_member_by_member() -> None:
    """Those that come later are filled, those that go are forgotten."""
    one, two, three = Place("one"), Place("two"), Place("three")
    group = Group(one, two)
    here = site(targets=[group])
    report = here.cycle()
    assert (one.password(), two.password(), report.job_safe) == (
        f"{MARKED}1",
        f"{MARKED}1",
        True,
    )
    assert {reported.group for reported in report.targets} == {"group"}
    group.in_place_of = (two, three)
    three.group = "group"
    here.after(300)
    assert three.password() == f"{MARKED}1"
    assert here.record.targets.keys() == {"two", "three"}


def test_a_group_that_can_not_be_listed_is_named_and_counts_as_last_read() -> None:
    """Its members are where they were."""
    group = Group(Place("one"), Place("two"))
    here = site(targets=[group])
    here.cycle()
    group.unreadable = down()
    report = here.after(300)
    assert [(reported.name, reported.outcome) for reported in report.targets] == [
        ("group", "failed")
    ]
    assert report.job_safe
    assert here.record.targets.keys() == {"one", "two", "group"}
    group.unreadable = PermanentError(Reason.NOT_FOUND, "gone", "make it")
    assert here.after(300).job_safe is False


def test_one_group_is_chosen_by_its_name() -> None:
    """`--target` takes the configured name."""
    group, other = Group(Place("one")), Place("other")
    here = site(targets=[group, other])
    report = here.cycle(only=frozenset({"group"}))
    assert [reported.name for reported in report.targets] == ["one"]
    assert here.cycle(only=frozenset({"other"})).targets[0].name == "other"


# Damaged documents


def test_a_typo_loses_nothing_of_what_others_had() -> None:
    """The daemon remembers what it read last."""
    here = site()
    here.place.put(document({OTHER: "s3cr3t-theirs"}, HttpHeaders={"X": "y"}))
    here.cycle()
    here.place.put((here.place.text or "").replace(",", " ", 1))
    report = here.after(300)
    assert here.place.password(OTHER) == "s3cr3t-theirs"
    assert here.place.document.rest == {"HttpHeaders": {"X": "y"}}
    assert (target(report).outcome, report.job_safe) == ("written", True)
    assert any("repaired" in note for note in target(report).notes)


def test_where_nobody_remembers_the_damaged_text_is_set_aside() -> None:
    """After a restart, where there is a place beside."""
    here = site()
    here.place.sets_aside = True
    here.cycle()
    broken = '{"auths": {"a": {} "b": {}}}'
    here.place.put(broken)
    here.restart()
    report = here.after(300)
    assert here.place.password()
    assert here.place.aside == [broken]
    assert any(".broken" in note for note in target(report).notes)


def test_where_nobody_remembers_and_nothing_is_beside_it_is_held_back() -> None:
    """A GitLab variable: what others had in it would be lost."""
    here = site()
    here.cycle()
    here.place.put('{"auths": {"a": {} "b": {}}}')
    here.restart()
    report = here.after(300)
    assert (target(report).outcome, report.job_safe) == ("failed", False)
    assert here.place.text == '{"auths": {"a": {} "b": {}}}'


def test_what_is_whole_of_a_text_that_was_cut_off_stays() -> None:
    """Ours was cut off by a full disk: the entries that are whole are others' too."""
    here = site()
    here.place.put(document({"a.example.com": "s3cr3t-a", OTHER: "s3cr3t-theirs"}))
    here.cycle()
    text = here.place.text or ""
    here.place.put(text[: text.index(OTHER) + 5])
    here.restart()
    here.after(300)
    assert here.place.password("a.example.com") == "s3cr3t-a"
    assert here.place.password() == f"{MARKED}2"


def test_what_is_whole_of_ours_stays_with_merge_replace_too() -> None:
    """Its source is down; others' entries go."""
    world = World()
    sources = [WorldSource(world), WorldSource(world, OTHER, "other")]
    here = site(world, sources=sources, targets=[Place(merge=Merge.REPLACE)])
    here.cycle()
    text = here.place.text or ""
    cut = text[: text.index(HOST) + 5].replace('{"other', '{"a.example.com":{"auth":"YTpi"},"other')
    here.place.put(cut)
    sources[1].broken = down()
    here.restart()
    here.after(300)
    assert here.place.password(OTHER) == f"{MARKED}2"
    assert here.place.document.auths.keys() == {HOST, OTHER}


def test_an_entry_of_a_source_that_leaves_is_remembered_in_a_repair() -> None:
    """From now on it is somebody else's; the typo and the new configuration come together."""
    world = World()
    sources = [WorldSource(world), WorldSource(world, OTHER, "other")]
    here = site(world, sources=sources)
    here.cycle()
    here.place.put('{"auths": {"a": {} "b": {}}}')
    here.configure(sources=(sources[0],))
    here.after(300)
    assert here.place.password(OTHER) == f"{MARKED}2"


# Claims


def test_a_foreign_claim_is_believed_up_to_the_longest_life_here() -> None:
    """A clock that was a day ahead wrote it; jobs are promised no more than a token's life."""
    here = site()
    here.cycle()
    started = here.record.started_at
    assert started is not None
    password = here.world.issue(HOST, 13 * HOUR)
    here.place.put(
        document({HOST: password}), foreign({HOST: here.world.now + timedelta(hours=37)})
    )
    report = here.after(300)
    assert here.place.password() == password.reveal()
    assert report.safe_until == started + timedelta(hours=11)


def test_an_endless_claim_of_a_source_whose_credentials_end_is_not_believed() -> None:
    """They have an end, whatever a mark says."""
    here = site()
    here.cycle()
    started = here.record.started_at
    assert started is not None
    password = here.world.issue(HOST, 13 * HOUR)
    here.place.put(document({HOST: password}), foreign({HOST: None}))
    assert here.after(300).safe_until == started + timedelta(hours=11)


def test_a_token_says_its_own_end() -> None:
    """Then no mark is needed, and no claim is believed."""
    world = World()
    end = world.now + timedelta(hours=5)
    payload = base64.urlsafe_b64encode(json.dumps({"exp": end.timestamp()}).encode()).decode()
    token = f"{MARKED}h.{payload.rstrip('=')}.sig"
    here = site(world)
    world.valid[HOST, token] = end
    here.place.put(document({HOST: token}))
    report = here.cycle()
    assert here.source.fetches == 0
    assert report.safe_until == end - timedelta(hours=1)


def test_a_claim_is_capped_as_soon_as_a_life_is_known() -> None:
    """It was believed before; the clock that wrote it was a day ahead."""
    here = site()
    password = here.world.issue(HOST, 13 * HOUR)
    end = here.world.now + timedelta(hours=37)
    here.place.put(document({HOST: password}), foreign({HOST: end}))
    assert here.cycle().safe_until == end - timedelta(hours=1)
    here.after(60, force=True)
    assert here.record.safe_until is not None
    report = here.after(60)
    assert report.safe_until is not None
    assert report.safe_until <= here.world.now + timedelta(hours=11)


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


@pytest.mark.parametrize("content", list(Content))
def test_what_was_fetched_by_a_clock_that_was_ahead_has_no_known_end(content: Content) -> None:
    """It may have ended long ago; where its source is down, jobs are not safe with it."""
    registry = None if content is Content.DOCKER_CONFIG else HOST
    here = site(targets=[Place(content=content, registry=registry)])
    assert here.cycle().job_safe
    here.source.broken = down()
    here.world.pass_time(-24 * HOUR)
    assert not here.cycle().job_safe
    here.restart()
    assert not here.cycle().job_safe
    here.place.unreadable = down()
    assert not here.cycle().job_safe
    here.place.unreadable = here.source.broken = None
    assert here.after(60).job_safe


def test_the_clock_that_goes_back_during_a_cycle_makes_its_result_doubtful() -> None:
    """It compared the ends with a time that was wrong."""
    here = site()
    here.cycle()
    here.place.after_read = lambda: here.world.pass_time(-24 * HOUR)
    report = here.after(60)
    assert (report.job_safe, report.safe_until) == (False, None)
    assert any("the clock went back" in note for note in report.notes)
    assert here.after(60).job_safe


def test_an_old_text_under_a_newer_mark_is_not_believed() -> None:
    """Somebody restored the data and left the annotations."""
    here = site()
    here.cycle()
    old = here.world.issue(HOST, 2 * HOUR)
    new = here.world.issue(HOST, 13 * HOUR)
    mark = foreign({HOST: here.world.now + timedelta(hours=13)})
    here.place.put(document({HOST: new}), mark)
    here.after(300)
    here.source.broken = down()
    here.restart()
    here.place.put(document({HOST: old}), mark)
    here.place.broken = down()
    assert here.after(300).job_safe is False


def test_what_is_found_published_too_short_is_renewed_at_once() -> None:
    """It is not job-safe, and our source may give more."""
    here = site()
    password = here.world.issue(HOST, 1800)
    here.place.put(
        document({HOST: password}), foreign({HOST: here.world.now + timedelta(minutes=30)})
    )
    assert here.cycle().job_safe is False
    report = here.after(1)
    assert (here.source.fetches, report.job_safe) == (1, True)


@pytest.mark.parametrize(
    "token",
    [
        "x" * 20_000,
        "a.b.c",
        f"a.{base64.b64encode(b'[1]').decode()}.c",
        f"a.{base64.b64encode(b'{}').decode()}.c",
        f"a.{base64.b64encode(json.dumps({'exp': True}).encode()).decode()}.c",
        f"a.{base64.b64encode(json.dumps({'exp': 1e30}).encode()).decode()}.c",
        base64.b64encode(json.dumps({"expiration": "soon"}).encode()).decode(),
    ],
)
def test_most_tokens_say_nothing_of_their_end(token: str) -> None:
    """Whatever they look like."""
    assert token_end(Secret(token)) is None


def test_an_ecr_token_says_its_end() -> None:
    """It is base64 of JSON with the seconds since 1970."""
    token = base64.b64encode(json.dumps({"expiration": 1_700_000_000}).encode()).decode()
    assert token_end(Secret(token)) == datetime.fromtimestamp(1_700_000_000, UTC)


def test_what_belongs_to_the_document_is_brought_in_order_when_it_stays() -> None:
    """Such as the accounts that name a Secret."""
    here = site()
    here.place.completes = True
    here.cycle()
    assert here.place.completed == 0
    here.after(300)
    assert here.place.completed == 1


def test_a_target_that_is_no_group_stands_for_itself() -> None:
    """Its members are the target."""
    place = Place()
    assert list(place.members()) == [place]


def test_an_unreadable_target_is_not_safe_with_what_was_rejected_meanwhile() -> None:
    """The registry said so when it could be asked; the password is in no memory any more."""
    one, two = Place("one"), Place("two")
    here = site(targets=[one, two])
    here.cycle()
    here.source.broken = down()
    here.world.valid.clear()
    here.after(60, only=frozenset({"two"}))
    here.restart()
    one.unreadable = down()
    two.policy = replace(two.policy, enabled=False)
    assert here.after(60).job_safe is False


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


def test_a_claim_of_the_future_is_capped_when_the_clock_goes_back() -> None:
    """It is no further ahead than a life of its source."""
    here = site()
    here.cycle()
    here.world.valid.clear()
    password = here.world.issue(HOST, 40 * HOUR)
    end = here.world.now + timedelta(hours=40)
    here.place.put(document({HOST: password}), foreign({HOST: end}))
    here.after(300)
    here.world.pass_time(-7200)
    report = here.cycle()
    assert report.safe_until is not None
    assert report.safe_until <= here.world.now + timedelta(hours=11)


def test_a_claim_in_which_our_belief_has_ended_is_doubted_and_not_dead() -> None:
    """Its registry accepts it, so it stays while its source is down; nothing is promised of it."""
    here = site()
    here.cycle()
    password = here.world.issue(HOST, 30 * HOUR)
    end = here.world.now + timedelta(hours=30)
    here.place.put(document({HOST: password}), foreign({HOST: end}))
    here.source.broken = down()
    here.after(60)
    report = here.after(13 * HOUR)
    assert here.place.password() == password.reveal()
    assert (report.job_safe, report.credentials[0].proof) == (False, "accepted")


def test_what_is_found_that_lasts_as_long_as_ours_is_renewed_in_its_time() -> None:
    """Our source gives nothing better."""
    here = site()
    here.cycle()
    here.world.valid.clear()
    password = here.world.issue(HOST, 13 * HOUR)
    here.place.put(
        document({HOST: password}), foreign({HOST: here.world.now + timedelta(hours=13)})
    )
    here.cycle()
    (newest, *_) = here.record.credentials[HOST]
    assert newest.foreign
    assert newest.renew_at is not None
    assert newest.renew_at > here.world.now + timedelta(hours=1)
    here.after(60)
    assert here.record.credentials[HOST][0].renew_at == newest.renew_at


def test_a_source_that_gives_too_little_is_not_asked_at_once() -> None:
    """Its credentials never last for the longest job, so another one is no better."""
    here = site(schedule={"longest_job": timedelta(hours=20)})
    here.cycle()
    password = here.world.issue(HOST, 11 * HOUR)
    here.source.broken = down()
    here.world.valid = {
        key: end for key, end in here.world.valid.items() if key[1] == password.reveal()
    }
    here.place.put(
        document({HOST: password}), foreign({HOST: here.world.now + timedelta(hours=11)})
    )
    here.after(60)
    (newest, *_) = here.record.credentials[HOST]
    assert newest.foreign
    assert newest.renew_at is not None
    assert newest.renew_at > here.world.now + timedelta(minutes=30)


def test_a_retired_lease_waits_again_where_its_credential_is_used_again() -> None:
    """Its registry rejected it for a while: it ends a full wait after nothing holds it any more."""
    world = World()
    source = WorldSource(world, leased=True)
    here = site(world, sources=[source])
    here.cycle()
    first = f"{MARKED}1"
    end = world.valid.pop((HOST, first))
    here.after(60)
    assert [one.lease.id for one in here.record.retired] == ["lease/1"]
    world.valid.clear()
    world.valid[HOST, first] = end
    source.broken = down()
    here.place.put(document({HOST: first}), here.place.mark)
    for _ in range(4):
        here.after(HOUR)
    assert source.revoked == ["lease/2"]
    source.broken = None
    here.cycle(force=True)
    here.after(0.9 * HOUR)
    assert "lease/1" not in source.revoked
    here.after(0.2 * HOUR)
    assert "lease/1" in source.revoked


def test_what_a_paused_target_held_last_is_still_published() -> None:
    """Jobs read it there; its lease ends a full wait after something else stands there."""
    world = World()
    here = site(world, sources=[WorldSource(world, leased=True)])
    here.cycle()
    place = here.place
    place.policy = replace(place.policy, enabled=False)
    here.after(60, force=True)
    here.after(2 * HOUR)
    assert here.source.revoked == []
    place.policy = replace(place.policy, enabled=True)
    here.cycle()
    here.after(0.9 * HOUR)
    assert here.source.revoked == []
    here.after(0.2 * HOUR)
    assert here.source.revoked == ["lease/1"]


def test_a_lease_of_two_registries_is_not_retired_while_one_of_them_uses_it() -> None:
    """The other one's credential is pending."""
    world = World()
    lease = Lease("lease/both", world.now + timedelta(hours=12), renewable=False)
    good = world.issue(OTHER, 12 * HOUR)
    answers = (
        login("s3cr3t-unknown", HOST, expires_in=12 * HOUR, lease=lease),
        login(good, OTHER, expires_in=12 * HOUR, lease=lease),
    )
    source = Fixed(world, *answers, declared=False)
    here = site(world, sources=[source])
    here.cycle()
    assert (HOST in here.record.pending, here.record.retired) == (True, ())
    here.after(121)
    assert source.revoked == []


def test_a_forced_credential_that_was_pending_counts_whatever_it_ends() -> None:
    """The clock went back: what is published looks as if it ended later."""
    world = World()
    here = site(world, settle=timedelta(minutes=2))
    here.cycle()
    sooner = world.issue(HOST, HOUR * 6)
    ends = world.valid.pop((HOST, sooner.reveal()))
    here.configure(sources=(Fixed(world, login(sooner, expires_in=6 * HOUR)),))
    here.cycle(force=True)
    assert here.record.pending[HOST].forced
    world.valid[HOST, sooner.reveal()] = ends
    here.after(30)
    assert here.place.password() == sooner.reveal()


def test_an_edit_under_a_foreign_mark_is_not_believed_in_the_next_cycle_either() -> None:
    """Our record knows the edited entry by then; the mark is still about the one before."""
    here = site(proof=ProofMode.OFF)
    here.cycle()
    mark = foreign({HOST: here.world.now + timedelta(hours=13)})
    here.place.put(document({HOST: "s3cr3t-theirs"}), mark)
    here.after(60)
    here.place.broken = down()
    here.place.put(document({HOST: "s3cr3t-edited"}), mark)
    for _ in range(3):
        assert here.after(60).job_safe is False
    here.place.broken = None
    assert here.after(300).job_safe
    assert here.place.password() == f"{MARKED}1"


def test_a_target_whose_secret_file_was_missing_is_tried_as_soon_as_it_is_there() -> None:
    """As a source is; until then it is asked at the times of any other failure."""
    here = site()
    here.place.stamp = "missing"
    here.place.unreadable = PermanentError(Reason.UNREADABLE, "no such file", "write it")
    here.cycle()
    reads = here.place.reads
    here.after(1)
    assert here.place.reads == reads
    here.place.stamp, here.place.unreadable = "there", None
    assert here.after(1).outcome == "rotated"


def test_a_secret_file_that_was_missing_is_tried_as_soon_as_it_is_there() -> None:
    """Whoever writes it may start later than we do."""
    here = site()
    here.source.stamp = "missing"
    here.source.broken = PermanentError(Reason.UNREADABLE, "no such file", "write it")
    here.cycle()
    here.cycle()
    assert here.source.fetches == 1
    here.source.stamp, here.source.broken = "there", None
    assert here.cycle().outcome == "rotated"


@pytest.mark.parametrize("content", [Content.DOCKER_CONFIG, Content.PASSWORD])
@pytest.mark.parametrize("marks", [True, False])
@pytest.mark.parametrize("is_down", [True, False])
def test_a_value_of_the_first_version_is_as_written(
    *, content: Content, marks: bool, is_down: bool
) -> None:
    """Its journal does not name the entries; nothing is fetched or written for that."""
    registry = HOST if content is Content.PASSWORD else None
    place = Place(content=content, registry=registry, merge=Merge.REPLACE)
    here = site(targets=[Place("file"), place])
    place.hidden, place.marks = content is Content.DOCKER_CONFIG, marks
    here.cycle()
    journal = json.loads(here.journal.text)
    for past in journal["targets"].values():
        del past["entries"]
    here.journal.text = json.dumps(journal)
    here.restart()
    if not is_down:
        report = here.after(60)
        assert (here.source.fetches, report.outcome, report.job_safe) == (1, "fresh", True)
    here.source.broken = down()
    here.rotation.targets[0].unreadable = down()  # type: ignore[attr-defined]
    here.restart()
    assert here.after(60).job_safe
    place.put("theirs", foreign({HOST: None}))
    assert here.after(600).job_safe is False


def test_what_is_found_without_an_end_has_no_time_of_renewal() -> None:
    """It is asked for again each poll, as what its source gives may change."""
    world = World()
    here = site(world, sources=[WorldSource(world, life=None)])
    here.source.broken = down()
    here.place.put(document({HOST: world.issue(HOST, None)}), foreign({HOST: None}))
    assert here.cycle().job_safe
    (newest,) = here.record.credentials[HOST]
    assert (newest.foreign, newest.renew_at) == (True, None)


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


def test_a_neighbour_that_no_client_can_decode_takes_all_with_it() -> None:
    """Docker then loses good hosts at random, and GitLab Runner the whole document."""
    here = published()
    found = json.loads(here.place.text or "")
    found["auths"]["other"] = {"auth": "no base64"}
    here.place.put(json.dumps(found), here.place.mark)
    assert here.after(60).job_safe is False
    here.place.broken = None
    assert here.after(60).job_safe


def test_a_target_that_was_repaired_twice_is_good_where_it_is_left_out() -> None:
    """What was not read counts as at the last read, which found it there."""
    here = site(targets=[Place("one"), Place("two")])
    one = here.rotation.targets[0]
    assert isinstance(one, Place)
    here.cycle()
    for _ in range(2):
        one.put(document({}), one.mark)
        assert here.after(60).job_safe
        assert here.after(60).job_safe
    assert here.after(60, only=frozenset({"two"})).job_safe
