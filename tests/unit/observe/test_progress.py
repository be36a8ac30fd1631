"""What a command shows while it waits, and says when it is interrupted."""

from __future__ import annotations

import io

from rotator.core.model import Credential, Held, Mark, Policy, Secret
from rotator.core.ports import Target
from rotator.observe.progress import Progress, cycle_each, shown, watched
from rotator.system.each import ThreadedEach
from tests.support import NOW, until


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def test_one_line_a_step() -> None:
    """Who is waited for and for how long; many of one kind are counted."""
    clock = Clock()
    progress = Progress(clock)
    progress.begin("fetch", "vault (https://vault.example.com)")
    progress.expect("read", 500)
    for number in range(136):
        progress.begin("read", f"variable {number}")
    clock.now = 7
    for number in range(120):
        progress.end("read", f"variable {number}")
    fetch, read = (step.line(clock.now) for step in progress.steps())
    assert fetch == "fetch waiting for vault (https://vault.example.com), 7 s"
    assert read == "read 120 of 500, waiting for variable 120, variable 121 and 14 more, 7 s"
    progress.end("fetch", "vault (https://vault.example.com)")
    assert len(progress.steps()) == 1


def test_what_was_done() -> None:
    """For who has pressed Ctrl-C: what ended, and what did not."""
    progress = Progress()
    progress.begin("lock", "another cycle of dind")
    assert progress.summary() == "nothing was written. Not ended: wait for another cycle of dind"
    progress.end("lock", "another cycle of dind")
    assert progress.summary() == "nothing was written"
    with progress.step("write", "file:/opt/.docker/config.json"):
        pass
    progress.begin("write", "slow")
    said = progress.summary()
    assert said == "written file:/opt/.docker/config.json. Not ended: write slow"
    for number in range(9):
        progress.end("write", "slow")
        progress.begin("write", f"target {number}")
        progress.end("write", f"target {number}")
    assert progress.summary().endswith("target 2 and 6 more")


def test_watched_calls() -> None:
    """Each call is a part of a step while it runs, also one that fails."""
    progress = Progress()
    running: list[str] = []

    def call(item: str) -> str:
        running.extend(
            f"{step.name} {part}" for step in progress.steps() for part in step.waits_for
        )
        if item == "b":
            raise ValueError(item)
        return item.upper()

    each = watched(ThreadedEach(), progress, lambda _: "read", str)
    first, second = each(call, ["a", "b"], 5)
    assert (first, type(second)) == ("A", ValueError)
    assert {"read a", "read b"} <= set(running)
    assert progress.summary() == "nothing was written; read a; failed to read b"


class Place(Target):
    """A target that is never called."""

    def __init__(self) -> None:
        super().__init__("file:/a", Policy())

    def read(self) -> Held:
        """Hold nothing."""
        return Held(None)

    def write(self, text: Secret, mark: Mark, replacing: Held) -> Held:  # noqa: ARG002
        """Hold what is there."""
        return replacing


def test_a_cycle() -> None:
    """A target is read first and written afterwards; a credential is proven."""
    progress = Progress()
    each = cycle_each(ThreadedEach(), progress, "dind")
    place, login = Place(), Credential("r.example.com", "robot", Secret("s3cr3t-p"), NOW)
    for item in (place, login, place):
        each(lambda _: None, [item], 5)
    assert progress.summary() == (
        "read file:/a (dind); proven r.example.com (dind); written file:/a (dind)"
    )


def test_nothing_in_a_pipe() -> None:
    """What is no terminal gets no character."""
    stream = io.StringIO()
    with shown(Progress(), stream):
        pass
    assert stream.getvalue() == ""


class Terminal(io.StringIO):
    """A terminal that remembers what is written to it."""

    def isatty(self) -> bool:
        """Tell that it is one."""
        return True


def test_live_on_a_terminal() -> None:
    """A line a step while it runs; what ends at once flashes nothing, and nothing is left."""
    clock, stream = Clock(), Terminal()
    progress = Progress(clock)
    with shown(progress, stream), progress.step("fetch", "vault"):
        assert "waiting" not in stream.getvalue()
        clock.now = 3
        until(lambda: "fetch waiting for vault, 3 s" in stream.getvalue(), what="the line")
    assert stream.getvalue().rstrip().endswith("\x1b[2K")
