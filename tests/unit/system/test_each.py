"""The fan-out: everybody is asked at once, and nobody waits for who hangs."""

from __future__ import annotations

import contextvars
import gc
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from rotator.core.errors import Reason, TemporaryError
from rotator.system.each import ThreadedEach
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
    assert not each.busy()


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
    assert each.busy()


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
    until(lambda: not each.busy(), what="the end of the call")
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


def test_nothing_runs_on_the_callers_thread_nor_keeps_the_process() -> None:
    """Even a single call has a thread of its own, one that may be left hanging at the end."""
    (thread,) = ThreadedEach()(lambda _: threading.current_thread(), ["item"], LONG)
    assert isinstance(thread, threading.Thread)
    assert thread is not threading.current_thread()
    assert thread.daemon


def test_context_variables_are_copied() -> None:
    """A call sees the caller's context variables; what it sets stays its own."""
    variable = contextvars.ContextVar("variable", default="nothing")
    variable.set("caller's")

    def look(item: str) -> str:
        found = variable.get()
        variable.set(item)
        return found

    assert ThreadedEach()(look, ["a", "b"], LONG) == ["caller's", "caller's"]
    assert variable.get() == "caller's"


def test_keeps_nothing_of_what_is_done() -> None:
    """Items and answers may hold secrets: none is kept once it was handed over."""

    class Thing:
        pass

    each = ThreadedEach()
    each(lambda thing: thing, [Thing()], LONG)
    until(lambda: not each.busy())
    gc.collect()
    assert not [found for found in gc.get_objects() if isinstance(found, Thing)]


def test_late_answers_are_dropped(gate: threading.Event) -> None:
    """A call that returns after its deadline changes nothing that was answered."""
    each = ThreadedEach()
    answers = each(lambda _: gate.wait(LONG), ["item"], 0.01)
    gate.set()
    until(lambda: not each.busy())
    assert timed_out(answers[0])
