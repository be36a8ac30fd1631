"""The sentences about a view: the table, the page, plain lines and the log say the same."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from rotator.core.candidate import FOREVER
from rotator.observe.times import clock_time, duration_text, end_text, few, relative
from rotator.observe.view_model import RUNNING, STOPPED, UNKNOWN, Health

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from rotator.core.report import Report
    from rotator.observe.view_model import (
        CredentialView,
        FailureView,
        Found,
        RotationView,
        TargetView,
        View,
    )

SIGNS = {Health.GREEN: "✓", Health.AMBER: "!", Health.RED: "✗", None: "·"}
"""Nothing is said by colour alone."""

_MOST_NAMED = 5


def headline(view: View) -> str:
    """Return the whole state in one phrase."""
    if not any(one.health for one in view.rotations):
        return "Everything is paused" if view.rotations else "Starting"
    if view.unsafe and all(one.outcome is None and one.in_cycle for one in view.unsafe):
        return f"Starting, the first cycle is running: {_names(view.unsafe)}"
    if view.unsafe:
        return f"Not job-safe: {_names(view.unsafe)}"
    attention = tuple(one for one in view.rotations if one.health is Health.AMBER)
    if attention:
        return f"Job-safe, but needs attention: {_names(attention)}"
    return "Everything is fresh and job-safe"


def _names(rotations: tuple[RotationView, ...]) -> str:
    return few([one.name for one in rotations], _MOST_NAMED)


def daemon(view: View) -> str:
    """Return what is known of the daemon."""
    said = {
        RUNNING: "the daemon is running.",
        STOPPED: "no daemon is running; this is what the journal holds.",
        UNKNOWN: "nobody can say whether a daemon is running; this is what the journal holds.",
    }
    return f"{clock_time(view.at)}: {said[view.daemon]}"


def title(rotation: RotationView) -> str:
    """Return a rotation's outcome, or that it has none yet."""
    if rotation.outcome is None:
        return "the first cycle is running" if rotation.in_cycle else "no cycle yet"
    return rotation.outcome


def safety(rotation: RotationView, now: datetime) -> str:
    """Return whether jobs are safe, and until when."""
    if rotation.outcome == "paused":
        return "Paused: nothing is fetched or written (enabled: false)."
    job = "a job"
    if rotation.longest_job is not None:
        job = f"a job of {duration_text(timedelta(seconds=rotation.longest_job))}"
    if not rotation.job_safe:
        if rotation.outcome is None and rotation.in_cycle:
            return "Not job-safe yet: the first cycle is running."
        return f"Not job-safe: {job} that starts now may lose its registries."
    if rotation.safe_until is None:
        return f"Job-safe: {job} can start, and nothing of this ends by itself."
    left = duration_text(rotation.safe_until - now)
    if rotation.health is Health.AMBER:
        return (
            f"Job-safe: {job} can start during the next {left}. Something needs attention before "
            f"{clock_time(rotation.safe_until)}."
        )
    return f"Job-safe: {job} can start during the next {left}, even if nothing can be fetched."


def cycles(rotation: RotationView, now: datetime) -> str:
    """Return when the last cycle was and when the next one is; empty where there was none."""
    if rotation.ended_at is None:
        return ""
    parts = [f"Last cycle {relative(rotation.ended_at, now)}"]
    if rotation.in_cycle:
        parts.append("one is running now")
    elif rotation.next_at is not None:
        parts.append(f"next cycle {due(rotation.next_at, now)}")
    if rotation.succeeded_at is None:
        parts.append("never a success")
    elif rotation.succeeded_at != rotation.ended_at:
        parts.append(f"last success {relative(rotation.succeeded_at, now)}")
    return ", ".join(parts) + "."


def due(at: datetime, now: datetime) -> str:
    """Return when something is due: `due now`, `was due 3 m ago`, `in 5 m`."""
    if abs(at - now) < timedelta(seconds=1):
        return "due now"
    return f"was due {relative(at, now)}" if at < now else relative(at, now)


def credential(one: CredentialView, now: datetime) -> list[str]:
    """Return what there is to say of a credential, the most important first."""
    if one.fingerprint is None and one.expires_at is None:
        return ["nothing yet"] if one.outcome is None else [outcome(one.outcome)]
    said = [] if one.outcome in {None, "fresh"} else [outcome(str(one.outcome))]
    said.append(end_text(one.expires_at, now))
    if one.renew_at is not None and one.health is Health.GREEN:
        said.append(f"renewal {due(one.renew_at, now)}")
    is_said = one.outcome in {"pending", one.proof}
    if one.proof in {"accepted", "rejected"} and not is_said:
        said.append(f"{one.proof} by its registry")
    return said


def target(one: TargetView, now: datetime) -> list[str]:
    """Return what there is to say of a target, the most important first."""
    if one.outcome is None:
        return ["not read yet"]
    said = [] if one.outcome == "unchanged" and one.written_at else [outcome(one.outcome)]
    if one.written_at is not None:
        said = [] if one.outcome == "written" else said
        said.append(f"written {relative(one.written_at, now)}")
    if one.end is None:
        if one.failure is None and one.outcome != "paused":
            said.append("an entry in it does not work")
    elif one.end != FOREVER:
        said.append(f"{'ended' if one.end < now else 'first end'} {relative(one.end, now)}")
    return said


def outcome(word: str) -> str:
    """Return an outcome as people read it."""
    return {"pending": "pending: its registry does not know it yet"}.get(
        word, word.replace("_", " ")
    )


def history(failure: FailureView, now: datetime) -> str:
    """Return how often something failed, and when it is tried again; empty where nobody knows."""
    if failure.since is None or failure.retry_at is None:
        return ""
    times = "once" if failure.count == 1 else f"{failure.count} times in a row"
    again = f"tried again {relative(failure.retry_at, now)}"
    if failure.retry_at <= now:
        again = "tried again in the next cycle"
    return f"Failed {times}, the first time {relative(failure.since, now)}; {again}."


def found(one: Found) -> list[str]:
    """Return what a target holds now, beside what is recorded of it."""
    if one.reason is not None:
        return [f"now: {one.reason}: {one.detail}", f"To do: {one.hint}"]
    if one.objects is not None:
        return _found_in_many(one, one.objects)
    if not one.entries:
        return ["now: nothing of this rotation belongs there"]
    lines = [
        f"now {entry.entry}: {entry.registry}"
        for entry in one.entries
        if entry.entry not in {"current", "withheld"}
    ]
    if one.mark == "foreign":
        lines.append("marked by another rotator")
    hidden = any(entry.entry == "withheld" for entry in one.entries)
    return lines or ["now: the target hides its value" if hidden else "now: as published"]


def _found_in_many(one: Found, objects: int) -> list[str]:
    differ = len(one.differing)
    said = [f"now: {objects - differ} of {objects} objects as published"]
    for name, inner in one.differing[:_MOST_NAMED]:
        first, *others = found(inner)
        said += [f"{name}: {first}", *others]
    return [*said, *([f"and {differ - _MOST_NAMED} more"] if differ > _MOST_NAMED else [])]


def lines(rotation: RotationView, now: datetime) -> Iterator[str]:
    """Yield a rotation as plain lines, for a pipe or a file."""
    yield f"{rotation.name}: {title(rotation)}"
    for one in rotation.credentials:
        yield f"  {SIGNS[one.health]} {one.name}: {', '.join(credential(one, now))}"
    for place in rotation.targets:
        yield f"  {SIGNS[place.health]} → {place.title}: {', '.join(target(place, now))}"
    for names, failure in rotation.failures():
        yield f"  {names}: {failure.reason}: {failure.detail}"
        yield f"  To do: {failure.hint}"
    for note in rotation.notes:
        yield f"  Note: {note}"
    yield f"  {safety(rotation, now)}"


def sentence(reports: Sequence[Report], now: datetime) -> str:
    """Return in one sentence how the rotations are and what comes next."""
    if not reports:
        return "starting: the first cycles are running"
    unsafe = [one.name for one in reports if not one.job_safe and one.outcome != "paused"]
    troubled = [one.name for one in reports if one.outcome in {"partial", "failed"}]
    count = f"{len(reports)} rotation{'s' if len(reports) > 1 else ''}"
    if unsafe:
        state = f"NOT job-safe: {', '.join(unsafe)}; what to do: rotator status"
    elif troubled:
        state = f"{count}, job-safe, but not all fresh: {', '.join(troubled)}; see rotator status"
    else:
        state = f"{count}, all fresh and job-safe"
    coming = min(
        ((max(one.next_at, now), one.name) for one in reports if one.next_at is not None),
        default=None,
    )
    return state if coming is None else f"{state}; next: {coming[1]} {relative(coming[0], now)}"
