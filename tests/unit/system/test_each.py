"""The fan-out: everybody is asked at once, and nobody waits for who hangs."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rotator.core.errors import Reason, TemporaryError
from rotator.core.model import Held, Mark, Policy, Secret
from rotator.core.ports import Target
from rotator.system.each import AT_ONCE, ThreadedEach
from tests.support import until

if TYPE_CHECKING:
    from collections.abc import Iterator

LONG = 30.0


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Return an event that a hanging call waits for; opened at the end in any case."""
    gate = threading.Event()
    yield gate
    gate.set()


def timed_out(answer: object) -> bool:
    """Tell whether the answer is a missed deadline."""
    return isinstance(answer, TemporaryError) and answer.reason == Reason.TIMEOUT


@pytest.mark.parametrize("count", [0, 1, 30])
def test_answers_in_order(count: int) -> None:
    """One answer an item, in the items' order, whoever is done first."""
    each = ThreadedEach()
    items = list(range(count))
    assert each(lambda item: item * 2, items, LONG) == [item * 2 for item in items]
    assert not each.running()


def test_calls_at_once() -> None:
    """All calls run at the same time: each waits for all others."""
    together = threading.Barrier(5)
    assert len(set(ThreadedEach()(lambda _: together.wait(LONG), range(5), LONG))) == 5


def test_an_exception_is_an_answer() -> None:
    """Whatever a call raises comes back in its place."""
    first, second = ThreadedEach()(lambda item: 1 / item, [0, 1], LONG)
    assert isinstance(first, ZeroDivisionError)
    assert second == 1


def test_a_call_that_ends_its_thread_is_an_error() -> None:
    """A library that calls `sys.exit` is a bug that is told, not a hang."""
    (answer,) = ThreadedEach()(lambda _: sys.exit(3), ["item"], LONG)
    assert isinstance(answer, RuntimeError)


def test_who_hangs_holds_nobody_back(gate: threading.Event) -> None:
    """The others' answers are there at the deadline; the hanging one's is a timeout."""
    each = ThreadedEach()
    answers = each(lambda item: item or gate.wait(LONG), [0, 1], 0.05)
    assert timed_out(answers[0])
    assert answers[1] == 1
    assert each.running()


def test_who_hangs_is_not_called_again(gate: threading.Event) -> None:
    """Neither by the same call nor by another; once it has returned it is asked again."""
    each = ThreadedEach()
    hanging, other = object(), object()
    each(lambda _: gate.wait(LONG), [hanging], 0.01)
    called: list[object] = []
    first, second = each(called.append, [hanging, other], LONG)
    assert timed_out(first)
    assert "still hangs" in str(first)
    assert second is None
    assert called == [other]
    gate.set()
    until(lambda: not each.running(), what="the end of the call")
    each(called.append, [hanging], LONG)
    assert called == [other, hanging]


def test_the_same_item_twice_is_called_twice() -> None:
    """Only an earlier fan-out's call counts as hanging."""
    assert ThreadedEach()(lambda item: item, ["a", "a"], LONG) == ["a", "a"]


def test_items_need_not_be_hashable(gate: threading.Event) -> None:
    """Items are told apart by equality alone."""
    each = ThreadedEach()
    each(lambda _: gate.wait(LONG), [["a", {}]], 0.01)
    assert timed_out(each(len, [["a", {}]], LONG)[0])


def test_one_deadline_for_all(gate: threading.Event) -> None:
    """Ten that hang take as long as one."""
    began = time.monotonic()
    answers = ThreadedEach()(lambda _: gate.wait(LONG), range(10), 0.1)
    assert all(map(timed_out, answers))
    assert time.monotonic() - began < 0.9


class OnServer(Target):
    """A target on a server that others share."""

    def __init__(self, server: str = "gitlab") -> None:
        super().__init__("one of many", Policy())
        self.server = server

    def read(self) -> Held:
        """Return nothing."""
        return Held(None)

    def write(self, text: Secret, mark: Mark, replacing: Held) -> Held:
        """Write nothing."""
        del text, mark
        return replacing


class Waves:
    """Calls that take `seconds` on a clock that only they move, as many at a time as are made."""

    def __init__(self, seconds: float) -> None:
        self.now = 0.0
        self._seconds = seconds
        self._wave = threading.Barrier(AT_ONCE, self._pass)

    def clock(self) -> float:
        """Return the time."""
        return self.now

    def call(self, _: object) -> None:
        """Take that long."""
        self._wave.wait(LONG)

    def _pass(self) -> None:
        self.now += self._seconds


def test_a_server_s_items_are_called_a_few_at_a_time() -> None:
    """However many they are; another server's, and those of none, don't wait for them."""
    full = threading.Barrier(AT_ONCE + 3)
    running: list[object] = []
    most: list[int] = []

    def call(item: object) -> None:
        running.append(item)
        most.append(sum(isinstance(one, OnServer) and one.server == "gitlab" for one in running))
        with contextlib.suppress(threading.BrokenBarrierError):
            full.wait(LONG)
            full.abort()  # who comes later does not wait
        running.remove(item)

    items = [OnServer() for _ in range(5 * AT_ONCE)]
    each = ThreadedEach()
    assert each(call, [*items, OnServer("other"), "a", "b"], LONG) == [None] * (len(items) + 3)
    assert max(most) == AT_ONCE


def test_a_call_s_time_counts_from_when_it_begins() -> None:
    """Many items of a server take many times as long as one call may, and all are answered."""
    waves = Waves(4.0)
    items = [OnServer() for _ in range(20 * AT_ONCE)]
    assert ThreadedEach(waves.clock)(waves.call, items, 20.0) == [None] * len(items)
    assert waves.now == 80.0


@pytest.mark.parametrize("hanging", [1, AT_ONCE, AT_ONCE + 3])
def test_who_hangs_on_a_server_holds_nobody_back(gate: threading.Event, hanging: int) -> None:
    """Others on the same server are called all the same, also behind as many as it is given."""
    items = [OnServer() for _ in range(4 * AT_ONCE)]
    stuck = items[:hanging]
    each = ThreadedEach()
    answers = each(lambda item: item not in stuck or gate.wait(LONG), items, 2.0)
    assert all(map(timed_out, answers[:hanging]))
    assert answers[hanging:] == [True] * (len(items) - hanging)
    assert set(stuck) & set(each.running())


def test_a_server_that_hangs_is_given_up(gate: threading.Event) -> None:
    """After about two calls' time, those that have not begun are not called, and say so."""
    items = [OnServer() for _ in range(20 * AT_ONCE)]
    called: list[object] = []

    def hang(item: object) -> None:
        called.append(item)
        gate.wait(LONG)

    answers = ThreadedEach()(hang, items, 0.2)
    assert all(map(timed_out, answers))
    assert len(called) <= 3 * AT_ONCE
    assert "not called" in str(answers[-1])


def test_a_server_that_gives_no_answer_quickly_is_given_up() -> None:
    """As one does whose every answer is a driver's own timeout, shorter than the fan-out's."""
    waves = Waves(15.0)
    answers = ThreadedEach(waves.clock)(waves.call, [OnServer() for _ in range(10 * AT_ONCE)], 20.0)
    assert answers[: 2 * AT_ONCE] == [None] * 2 * AT_ONCE
    assert all("not called" in str(answer) for answer in answers[2 * AT_ONCE :])
    assert waves.now == 30.0


def test_nothing_runs_on_the_callers_thread_nor_keeps_the_process() -> None:
    """Even a single call has a thread of its own, one that may be left hanging at the end."""
    (thread,) = ThreadedEach()(lambda _: threading.current_thread(), ["item"], LONG)
    assert isinstance(thread, threading.Thread)
    assert thread is not threading.current_thread()
    assert thread.daemon


def test_keeps_nothing_of_what_is_done() -> None:
    """Items and answers may hold secrets: none is kept once it was handed over."""

    class Thing:
        pass

    each = ThreadedEach()
    each(lambda thing: thing, [Thing()], LONG)
    until(lambda: not each.running())
    gc.collect()
    assert not [found for found in gc.get_objects() if isinstance(found, Thing)]


def test_late_answers_are_dropped(gate: threading.Event) -> None:
    """A call that returns after its deadline changes nothing that was answered."""
    each = ThreadedEach()
    answers = each(lambda _: gate.wait(LONG), ["item"], 0.01)
    gate.set()
    until(lambda: not each.running())
    assert timed_out(answers[0])


def test_a_signal_that_another_thread_got_is_noticed_before_the_call_ends() -> None:
    """It interrupts no wait of the main thread, as one that comes just before the wait does not."""
    gate, ended = threading.Event(), threading.Event()

    def main_waits() -> bool:
        about = Path(f"/proc/self/task/{os.getpid()}/stat").read_text()
        return about.rpartition(")")[2].split()[0] == "S"

    def call(_: str) -> None:
        until(lambda: all(main_waits() for _ in range(20)), what="the main thread to wait")
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        if not gate.wait(20):
            ended.set()

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            ThreadedEach()(call, ["a"], 60.0)
    finally:
        signal.signal(signal.SIGINT, before)
        gate.set()
    assert not ended.is_set()
