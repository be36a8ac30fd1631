"""How safe jobs are by a record and the configuration of now, and why not where they are not."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rotator.core.candidate import FOREVER
from rotator.core.record import FailureRecord, KnownCredential, PendingCredential, Record
from rotator.observe.safety import advisable, safety
from rotator.observe.status_json import as_json
from rotator.observe.view import report_view, rotation_view
from rotator.observe.view_model import FINE, Health, RotationView, View, overall
from tests.support import NOW
from tests.unit.core.strategies import new_examples
from tests.unit.observe.viewed import report
from tests.unit.observe.views import ECR, FILE, HARBOR, TROUBLED, VARIABLE, WELL, hours, settings

if TYPE_CHECKING:
    from rotator.config.schema import RotationSettings

ENDS = {ECR: NOW + hours(7), HARBOR: FOREVER}
ENTRIES = {ECR: "hmac:3f9a2c41d7e0", HARBOR: "hmac:aaaabbbbcccc"}
NAMED = replace(
    WELL,
    targets={n: replace(t, ends=ENDS, entries=ENTRIES) for n, t in WELL.targets.items()},
    longest_job=hours(3).total_seconds(),
)


def reasons(view: RotationView) -> list[tuple[str, str]]:
    """Return the reasons that a view gives, and of what."""
    return [(names, str(failure.reason)) for names, failure in view.failures()]


def said(view: RotationView) -> str:
    """Return all that its reasons say."""
    return "\n".join(f"{f.detail} {f.hint}" for _, f in view.failures())


def with_file(**changes: Any) -> Record:
    """Return the record with something else of the file."""
    return replace(NAMED, targets={**NAMED.targets, FILE: replace(NAMED.targets[FILE], **changes)})


def test_the_longest_job_of_now_counts() -> None:
    """Both ways: the record's own time was for another one."""
    for job, safe in (("3h", 4), ("5h", 2), ("30m", 6.5)):
        view = rotation_view(settings(longest_job=job), NAMED, NOW)
        assert (view.safe_until, reasons(view)) == (NOW + hours(safe), [])
    view = rotation_view(settings(longest_job="10h"), NAMED, NOW)
    assert (view.job_safe, view.health) == (False, Health.RED)
    assert reasons(view) == [(f"{FILE}, {VARIABLE}", "short_lived")]


def test_a_target_that_moved_was_not_read() -> None:
    """What the record says of the former place is not true of the new one."""
    moved = settings(targets=[{"type": "file", "path": "/elsewhere/config.json"}])
    view = rotation_view(moved, NAMED, NOW)
    assert (view.job_safe, view.targets[0].health) == (False, Health.RED)
    assert reasons(view) == [("file:/elsewhere/config.json", "no_cycle")]
    assert overall([view]) != "good"


def test_a_source_that_is_new() -> None:
    """Its registries are not in any target yet; where they are not known, that is said."""
    new = {"type": "credential_helper", "helper": "x", "registries": ["a.example"]}
    old = settings()
    view = rotation_view(_with_source(new), NAMED, NOW)
    assert (view.job_safe, view.credentials[2].health) == (False, Health.RED)
    assert ("credential_helper" in said(view), "a.example" in said(view)) == (True, True)
    view = rotation_view(_with_source({"type": "docker_config", "path": "/x"}), NAMED, NOW)
    assert (view.job_safe, "docker_config" in said(view)) == (False, True)
    assert rotation_view(old, NAMED, NOW).job_safe


def _with_source(new: dict[str, Any]) -> RotationSettings:
    more = settings(sources=[new]).sources
    old = settings()
    return replace(old, sources=(*old.sources, *more))


@pytest.mark.parametrize("known", [True, False])
def test_a_source_that_is_configured_in_another_way(*, known: bool) -> None:
    """What it gave is published, and it is to be asked again."""
    one = settings()
    past = {s.name: replace(NAMED.sources[s.name], configured=s.configured()) for s in one.sources}
    record = replace(NAMED, sources=past)
    assert rotation_view(one, record, NOW).health is Health.GREEN
    changed = replace(past["vault"], configured="another")
    if not known:
        changed = replace(changed, configured="", changed=True)
    view = rotation_view(one, replace(record, sources={**past, "vault": changed}), NOW)
    assert (view.job_safe, view.health, reasons(view)) == (
        True,
        Health.AMBER,
        [(HARBOR, "no_cycle")],
    )


def test_what_lives_shorter_than_the_longest_job() -> None:
    """Both durations are said, and what to do."""
    end = NOW + timedelta(minutes=45)
    short = KnownCredential(ENTRIES[ECR], "ecr", NOW, end, NOW)
    record = replace(
        NAMED,
        credentials={**NAMED.credentials, ECR: (short,)},
        targets={n: replace(t, ends={**ENDS, ECR: end}, end=end) for n, t in NAMED.targets.items()},
        safe_until=end - hours(1),
        longest_job=3600.0,
    )
    one = settings(longest_job="1h")
    view = rotation_view(one, record, NOW)
    assert {target.health for target in view.targets} == {Health.RED}
    for part in ("`longest_job` is 1 h", "lives 45 m", "`longest_job: 40m`", "TTL"):
        assert part in said(view)
    assert rotation_view(settings(longest_job="40m"), record, NOW).job_safe
    cycle = report_view(report(job_safe=False), safety(one, record, NOW), NOW)
    assert "lives 45 m" in said(cycle)


@pytest.mark.parametrize(
    ("life", "longest"), [(0.5, ""), (50, "45s"), (2700, "40m"), (86400, "1296m")]
)
def test_advisable(life: float, longest: str) -> None:
    """As the configuration takes it, rounded down."""
    assert advisable(timedelta(seconds=life)) == longest


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ends": {HARBOR: FOREVER}, "end": None, "drifted": 2}, "taken_out"),
        ({"ends": {HARBOR: FOREVER}, "end": None, "entries": {}}, "not_found"),
        ({"ends": {HARBOR: FOREVER}, "end": None}, "not_found"),
        ({"ends": {**ENDS, ECR: NOW - hours(1)}, "end": NOW - hours(1)}, "expired"),
        ({"ends": {**ENDS, ECR: NOW + hours(1)}, "end": NOW + hours(1)}, "short_lived"),
    ],
    ids=["taken out", "no entry", "unknown end", "ended", "not renewed"],
)
def test_why_a_target_is_not_safe(changes: dict[str, Any], reason: str) -> None:
    """Each cause has its own words."""
    view = rotation_view(settings(), with_file(**changes), NOW)
    assert (view.job_safe, view.targets[0].health) == (False, Health.RED)
    assert reasons(view) == [(FILE, reason)]


def test_what_its_registry_rejects() -> None:
    """The journal has the registry's last word."""
    rejected = replace(NAMED.credentials[ECR][0], verdict="rejected")
    record = with_file(ends={HARBOR: FOREVER}, end=None)
    record = replace(record, credentials={**record.credentials, ECR: (rejected,)})
    assert reasons(rotation_view(settings(), record, NOW)) == [(FILE, "rejected")]


def test_a_pending_credential_is_said_until_when() -> None:
    """What is published works on; who reads `amber` finds out why."""
    pending = PendingCredential("hmac:ddddeeeeffff", NOW)
    record = replace(NAMED, outcome="partial", pending={HARBOR: pending})
    view = rotation_view(settings(), record, NOW)
    assert (view.health, view.credentials[1].outcome) == (Health.AMBER, "pending")
    assert reasons(view) == [(HARBOR, "rejected")]
    assert "asked again until 2026-11-23T10:02:00Z" in said(view)
    assert view.credentials[1].fingerprint == ENTRIES[HARBOR]
    after = rotation_view(settings(), record, NOW + hours(0.1))
    assert "within `settle`" in said(after)


def test_a_credential_that_waits_for_its_proof() -> None:
    """The published one is shown, and why the new one is not published."""
    old = replace(NAMED.credentials[HARBOR][0], verdict="accepted")
    new = replace(old, fingerprint="hmac:ddddeeeeffff")
    credentials = {**NAMED.credentials, HARBOR: (replace(new, verdict=""), old)}
    record = replace(NAMED, outcome="partial", credentials=credentials)
    view = rotation_view(settings(), record, NOW)
    assert (view.credentials[1].fingerprint, view.credentials[1].outcome) == (
        old.fingerprint,
        "kept",
    )
    assert reasons(view) == [(HARBOR, "unreachable")]


@pytest.mark.parametrize(("late", "health"), [(0.1, "green"), (0.3, "amber"), (1440, "amber")])
def test_a_cycle_that_is_overdue(late: float, health: str) -> None:
    """A daemon that died long ago renews nothing, though nothing ends."""
    endless = {
        n: replace(t, ends=dict.fromkeys(ENDS, FOREVER), end=FOREVER)
        for n, t in NAMED.targets.items()
    }
    harbor = NAMED.credentials[HARBOR][0]
    both = {ECR: (replace(harbor, fingerprint=ENTRIES[ECR]),), HARBOR: (harbor,)}
    record = replace(NAMED, credentials=both, targets=endless, safe_until=FOREVER)
    view = rotation_view(settings(), record, NOW + hours(late))
    assert (view.job_safe, view.health) == (True, health)
    assert reasons(view) == ([] if health == "green" else [("dind", "overdue")])
    document = as_json(View(NOW, "stopped", (view,)))["rotations"][0]
    assert document["reason"] == (None if health == "green" else "overdue")


TARGETS = st.fixed_dictionaries(
    {},
    optional={
        "outcome": st.sampled_from(["", "unchanged", "written", "failed", "held_back", "stale"]),
        "end": st.sampled_from([None, FOREVER, NOW - hours(1), NOW + hours(1), NOW + hours(9)]),
        "ends": st.dictionaries(
            st.sampled_from([ECR, HARBOR]),
            st.sampled_from([FOREVER, NOW - hours(1), NOW + hours(1), NOW + hours(9)]),
        ),
        "entries": st.sampled_from([{}, ENTRIES]),
        "drifted": st.integers(0, 3),
    },
)
FAILED = FailureRecord(1, "timeout", "no answer", "wait", NOW - hours(0.1), NOW + hours(0.1))


@st.composite
def records(draw: st.DrawFn) -> Record:
    """Make a record as a cycle may leave it, or one that crashed."""
    record = draw(st.sampled_from([NAMED, WELL, TROUBLED, Record()]))
    targets = {}
    for name in draw(st.sets(st.sampled_from([FILE, VARIABLE, "file:/gone"]))):
        one = replace(NAMED.targets[FILE], **draw(TARGETS))
        if one.outcome in {"failed", "held_back"}:  # a cycle records why
            one = replace(one, failure=FAILED)
        targets[name] = one
    waiting = st.sampled_from([NOW - hours(1), NOW]).map(lambda at: PendingCredential("hmac:d", at))
    credentials = dict(record.credentials)
    for registry in draw(st.sets(st.sampled_from(sorted(credentials)))) if credentials else ():
        del credentials[registry]
    return replace(
        record,
        credentials=credentials,
        targets=draw(st.sampled_from([record.targets, targets, targets])),
        pending=draw(st.dictionaries(st.sampled_from([ECR, HARBOR]), waiting)),
        outcome=draw(st.sampled_from([record.outcome, "rotated", "partial", "failed"])),
        safe_until=draw(st.sampled_from([None, FOREVER, NOW - hours(1), NOW + hours(2)])),
        longest_job=draw(st.sampled_from([None, 3600.0, 10800.0])),
        next_at=draw(st.sampled_from([None, NOW - hours(9), NOW + hours(0.1)])),
        ended_at=draw(st.sampled_from([None, record.ended_at, NOW + hours(3)])),
        started_at=draw(st.sampled_from([record.started_at, WELL.started_at])),
    )


@new_examples(300)
@given(
    records(),
    st.sampled_from(["30m", "3h", "10h"]),
    st.sampled_from(["", "a source more"]),
    st.sampled_from(["", "in a cycle"]),
    st.sampled_from([None, "fresh", "partial", "failed"]),
)
def test_whatever_is_not_green_says_why(
    record: Record, job: str, new_source: str, in_cycle: str, reported: str | None
) -> None:
    """The whole and each of its parts; and nothing that is green has a reason."""
    one = settings(longest_job=job)
    if new_source:
        one = replace(one, sources=(*one.sources, *_with_source(NEW).sources[2:]))
    whole = None if reported is None else report(outcome=reported)
    view = rotation_view(one, record, NOW, whole, in_cycle=bool(in_cycle))
    first = view.outcome is None and view.in_cycle
    assert view.health in FINE or first or reasons(view)
    assert (view.health is Health.RED) == (not view.job_safe)
    assert view.health is not Health.GREEN or not reasons(view)
    after = report_view(report(job_safe=False), safety(one, record, NOW), NOW)
    assert reasons(after)


NEW = {"type": "docker_config", "path": "/x"}
