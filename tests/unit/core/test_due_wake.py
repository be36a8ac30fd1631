"""When a daemon runs a cycle before its time: clocks that jump, machines that sleep, new logins."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from rotator.core.due import Armed, Wake, wake_reason
from rotator.core.errors import LoginRejectedError
from tests.simulation.world import WorldSource
from tests.support import NOW
from tests.unit.core.builders import Site, site

ARMED = Armed(NOW + timedelta(minutes=5), NOW, boot=1000.0)


def reason(
    where: Site | None = None, *, wall: float = 0, boot: float = 0, armed: Armed = ARMED
) -> Wake | None:
    """Return why a cycle runs, so many seconds after the last one on each clock."""
    where = where or site()
    return wake_reason(
        armed,
        where.rotation,
        where.record,
        now=NOW + timedelta(seconds=wall),
        boot=1000.0 + boot,
    )


@pytest.mark.parametrize(
    ("wall", "boot", "expected"),
    [
        pytest.param(0, 0, None, id="nothing to do"),
        pytest.param(299, 299, None, id="not yet"),
        pytest.param(300, 300, Wake.DUE, id="it is time"),
        pytest.param(3600, 3600, Wake.DUE, id="a machine was suspended"),
        pytest.param(10, 300, Wake.CLOCK_BACK, id="the clock went back"),
        pytest.param(-60, 5, Wake.CLOCK_BACK, id="the clock went far back"),
        pytest.param(100, 10, Wake.CLOCK_FORWARD, id="the clock went forward"),
        pytest.param(14, 10, None, id="a clock that is slewed"),
        pytest.param(6, 10, None, id="a clock that is slewed back"),
    ],
)
def test_both_clocks_count(wall: float, boot: float, expected: Wake | None) -> None:
    """A step makes every end look wrong, and a sleep hides that time has passed."""
    assert reason(wall=wall, boot=boot) == expected


def rejected() -> Site:
    """Return a rotator whose login was just rejected."""
    where = site()
    where.source.stamp = "first"
    where.source.broken = LoginRejectedError("wrong secret id", "write a new one")
    where.cycle()
    return where


def test_a_new_login_secret_is_tried_at_the_next_heartbeat() -> None:
    """Whoever replaces the file does not wait 20 minutes."""
    where = rejected()
    assert reason(where, wall=15, boot=15) is None
    where.source.stamp = "second"
    assert reason(where, wall=15, boot=15) is Wake.LOGIN


def test_a_login_without_a_file_is_not_compared() -> None:
    """A variable of the environment can't change while we run."""
    where = site()
    where.source.broken = LoginRejectedError("wrong secret id", "set another one")
    where.cycle()
    assert reason(where, wall=15, boot=15) is None


def test_a_source_that_works_wakes_nobody() -> None:
    """A login file that is replaced while its login works is no reason to run."""
    where = site()
    where.source.stamp = "first"
    where.cycle()
    where.source.stamp = "second"
    assert reason(where, wall=15, boot=15) is None


def test_a_new_login_secret_of_a_target_is_tried_at_the_next_heartbeat() -> None:
    """It is looked at as a source's is."""
    where = site()
    where.place.stamp = "first"
    where.place.unreadable = LoginRejectedError("wrong token", "write a new one")
    where.cycle()
    assert reason(where, wall=15, boot=15) is None
    where.place.stamp = "second"
    assert reason(where, wall=15, boot=15) is Wake.LOGIN


def test_every_source_is_compared() -> None:
    """The second source's new secret wakes as the first one's does."""
    where = rejected()
    first = WorldSource(where.world, name="works")
    where.configure(sources=(first, where.source))
    where.rotation.sources[1].stamp = "second"  # type: ignore[attr-defined]
    assert reason(where, armed=replace(ARMED)) is Wake.LOGIN
