"""Where a fan-out has a longest time: only silence ends a call before it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from rotator.core.errors import Reason, TemporaryError
from rotator.system.each import AT_ONCE, ThreadedEach, after_others, note_answer, others_first
from tests.support import until

if TYPE_CHECKING:
    from collections.abc import Iterator

LONG = 30.0
SECONDS, LONGEST = 3.5, 60.0


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Return an event that a hanging call waits for; opened at the end in any case."""
    gate = threading.Event()
    yield gate
    gate.set()


def timed_out(answer: object) -> str:
    """Return what a missed deadline says; empty where there is none."""
    missed = isinstance(answer, TemporaryError) and answer.reason == Reason.TIMEOUT
    return str(answer) if missed else ""


def test_the_time_of_a_call_begins_again_with_each_answer(gate: threading.Event) -> None:
    """It takes many times as long as a silent one may; then it falls silent, and is ended."""

    def ask(_: object) -> None:
        for _ in range(10):
            threading.Event().wait(0.1)
            note_answer()
        gate.wait(LONG)

    began = time.monotonic()
    (answer,) = ThreadedEach(longest=LONG)(ask, ["slow"], 0.7)
    assert timed_out(answer).startswith("no answer within 0.")
    assert time.monotonic() - began > 1.5
    began = time.monotonic()
    assert timed_out(ThreadedEach()(ask, ["slow"], 0.7)[0])
    assert time.monotonic() - began < 1.5, "without a longest time, a call's time is one for all"


def test_there_is_a_longest_time(gate: threading.Event) -> None:
    """It says that answers came."""

    def ask(_: object) -> None:
        while not gate.wait(0.01):
            note_answer()

    (answer,) = ThreadedEach(longest=0.5)(ask, ["endless"], 0.2)
    assert timed_out(answer) == "answers come, but not all of them within 0.5 s"


def test_a_server_that_answers_slowly_is_not_given_up() -> None:
    """None of its answers is quick, and all that wait for their turn get it."""
    now = 0.0
    wave = threading.Barrier(AT_ONCE, lambda: None)
    lock = threading.Lock()

    class Item:
        server = "gitlab"

    def ask(_: object) -> None:
        nonlocal now
        for _ in range(4):
            if wave.wait(LONG) == 0:
                with lock:
                    now += 0.9
            wave.wait(LONG)
            note_answer()

    each = ThreadedEach(lambda: now, LONGEST)
    items = [Item() for _ in range(5 * AT_ONCE)]
    assert each(ask, items, SECONDS) == [None] * len(items)
    assert now == pytest.approx(5 * 4 * 0.9)


def test_a_turn_that_others_have_is_waited_for() -> None:
    """That is not the server's silence, however long it takes."""
    lock = threading.Lock()
    lock.acquire()
    waits = threading.Event()

    def ask(_: object) -> str:
        waits.set()
        with after_others(lock):
            return "done"

    found: list[object] = []
    caller = threading.Thread(
        target=lambda: found.extend(ThreadedEach(longest=LONG)(ask, ["waits"], 1.0))
    )
    caller.start()
    assert waits.wait(LONG)
    caller.join(2.5)
    assert caller.is_alive()
    lock.release()
    caller.join(LONG)
    assert found == ["done"]
    assert not lock.locked()


def test_a_turn_that_never_comes() -> None:
    """The wait for it has an end of its own."""
    assert not others_first(threading.Event().wait, 0.01)
    assert others_first(lambda _: True, 0.01)


def test_an_answer_counts_for_those_that_wait_for_the_call() -> None:
    """A call may have a fan-out of its own."""

    def inner(_: object) -> None:
        for _ in range(10):
            threading.Event().wait(0.1)
            note_answer()

    each = ThreadedEach(longest=LONG)
    assert each(lambda _: ThreadedEach(longest=LONG)(inner, [1, 2], 0.5), ["a"], 0.5) == [
        [None, None]
    ]
    until(lambda: not each.running())
