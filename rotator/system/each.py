"""The fan-out: calls something on many items at once, each in a thread, each with a deadline.

Items of one server are called a few at a time, however many there are, and a call's time counts
from when it begins: with many items it just takes longer. The threads are daemon threads, not an
executor's: those keep the process from ending while one of them hangs. Nothing runs on the caller's
thread, not even a single call, because it may hang.

A call may ask a server several times, and wait for others meanwhile. Where a fan-out has a
`longest` time, a call's time begins again with each answer, and does not pass while it waits for
its turn: only silence ends it, and that longest time.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from math import inf
from threading import Event, Thread, local
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from rotator.core.errors import Reason, TemporaryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from threading import Lock

Item = TypeVar("Item")
Answer = TypeVar("Answer")

AT_ONCE = 16  # calls at the same time on the items of one server

# In shares of a call's time: what is a quick answer, and how long a server may give none; and that
# where any answer counts as a quick one.
_QUICK, _PATIENCE, _SHORT_PATIENCE = 0.25, 1.5, 0.9

# Python runs no handler of a signal that comes just before a wait begins, until that wait ends.
# Ctrl-C is then noticed after so many seconds, and not after the whole wait.
_WAIT_SECONDS = 1.0

_HINT = "look at what it waits for: a mount, a name server, a proxy; nothing else waits for it"

_made_here = local()  # `call`: the call that this thread makes

_GLANCE = 0.5  # seconds between two looks at the others that are waited for


def note_answer() -> None:
    """Note that the server of this thread's call gave an answer: it is slow at most, not silent."""
    _begin_again(by_server=True)


def slowest_answer() -> float:
    """Return how many seconds the slowest answer took that this thread's call was given."""
    one: _Call[Any, Any] | None = getattr(_made_here, "call", None)
    return one.slowest if one else 0.0


def others_first(wait: Callable[[float], bool], seconds: float) -> bool:
    """Wait for what others do first, and tell whether they did it within these seconds.

    `wait`: waits so many seconds and tells the same, as `Lock.acquire` and `Event.wait` do.
    """
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if wait(min(_GLANCE, left)):
            return True
        _begin_again(by_server=False)
    return False


@contextmanager
def after_others(lock: Lock) -> Iterator[None]:
    """Hold a lock for the block, once those who came before have released it."""
    others_first(lambda seconds: lock.acquire(timeout=seconds), inf)
    try:
        yield
    finally:
        lock.release()


def _begin_again(*, by_server: bool) -> None:
    """Let the time begin again of this thread's call, and of those that wait for it."""
    one: _Call[Any, Any] | None = getattr(_made_here, "call", None)
    while one is not None:
        now = one.queue.clock()
        if by_server:
            one.slowest = max(one.slowest, now - max(one.heard, one.started or now))
        one.heard = now
        if by_server and one.queue.longest is not None:
            one.queue.quick_at = now
        one = one.parent


class ThreadedEach:
    """Implements `core.ports.Each`. Make one for each rotation: its cycles follow one another.

    Items are compared by equality, so that a target whose read still hangs is not written to.
    `longest`: seconds that a call may take whose server answers; None: no more than any other.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, longest: float | None = None
    ) -> None:
        self._clock = clock
        self._longest = longest
        self._running: set[_Call[Any, Any]] = set()

    def __call__(
        self, call: Callable[[Item], Answer], items: Sequence[Item], seconds: float
    ) -> list[Answer | Exception]:
        """Return one answer or exception for each item, in order, each within `seconds`."""
        hanging = tuple(self._running)
        asked: list[_Call[Item, Answer] | TemporaryError] = []
        queues: dict[object, _Queue] = {}
        for item in items:
            if stuck := next((one for one in hanging if one.item == item), None):
                since = stuck.age(self._clock())
                hangs = f"not called: the last call still hangs, for {since:.3g} s now"
                asked.append(_timeout(hangs))
                continue
            # An item that names no server, or is on none, waits for nobody.
            server = getattr(item, "server", None) or object()
            if server not in queues:
                queues[server] = _Queue(self._running, seconds, self._longest, self._clock)
            one = _Call(call, item, queues[server], getattr(_made_here, "call", None))
            one.queue.waiting.append(one)
            asked.append(one)
        for queue in queues.values():
            for _ in range(min(AT_ONCE, len(queue.waiting))):
                queue.start()
        return [one.queue.answer(one) if isinstance(one, _Call) else one for one in asked]

    def running(self) -> list[Any]:
        """Return the items on which a call is still running; between cycles these hang."""
        return [one.item for one in tuple(self._running)]


@dataclass(eq=False)
class _Call(Generic[Item, Answer]):
    """One call on one item; `answer` counts once `done` is set. `started`: None while it waits.

    `parent`: the call that waits for it. `heard`: when its time began again.
    """

    call: Callable[[Item], Answer]
    item: Item
    queue: _Queue
    parent: _Call[Any, Any] | None
    answer: Any = None
    started: float | None = None
    heard: float = -inf
    slowest: float = 0.0
    given_up: bool = False
    done: Event = field(default_factory=Event)

    def age(self, now: float) -> float:
        """Return the seconds since it began; 0 while it waits."""
        return 0.0 if self.started is None else now - self.started

    def left(self, now: float) -> float:
        """Return the seconds that are left to it."""
        silent = self.age(now)
        if self.queue.longest is None:
            return self.queue.seconds - silent
        silent = min(silent, now - self.heard)
        return min(self.queue.seconds - silent, self.queue.longest - self.age(now))

    def run(self) -> None:
        """Make the call and keep what comes of it."""
        _made_here.call = self
        try:
            self.answer = self.call(self.item)
        except Exception as error:  # noqa: BLE001  an exception is an answer
            self.answer = error
        except BaseException as error:  # noqa: BLE001  a library that calls sys.exit() ends nobody
            self.answer = RuntimeError(f"the call raised {type(error).__name__}")
        finally:
            # An answer that is an exception keeps this frame, and nothing else may stay with it.
            self.parent = _made_here.call = None


@dataclass
class _Queue:
    """The calls on one server, or a single one: made by threads that take the next that waits.

    A call that hangs keeps its thread, and the calls behind it get another one. Where no answer
    comes quickly for longer than a call's time, what still waits is not called: a server that hangs
    costs about two calls' time, whatever the number of its items.
    """

    running: set[_Call[Any, Any]]
    seconds: float
    longest: float | None
    clock: Callable[[], float]
    waiting: deque[_Call[Any, Any]] = field(default_factory=deque)
    quick_at: float | None = None

    def start(self) -> None:
        """Start one more thread."""
        Thread(target=self._work, daemon=True).start()

    def answer(self, one: _Call[Any, Any]) -> Any:
        """Return a call's answer, or an error when its time ends; ask in the calls' order."""
        while not one.done.wait(min(_WAIT_SECONDS, max(0.0, one.left(self.clock())))):
            now = self.clock()
            if one.left(now) <= 0:
                one.given_up = True
                if self.waiting:
                    self.start()
                return _timeout(self._what_ended(one, now))
        return one.answer

    def _what_ended(self, one: _Call[Any, Any], now: float) -> str:
        if self.longest is not None and one.age(now) >= self.longest:
            return f"answers come, but not all of them within {self.longest:g} s"
        return f"no answer within {min(one.age(now), now - one.heard):.3g} s"

    def _work(self) -> None:
        while one := self._next():
            one.run()
            self.running.discard(one)
            one.done.set()
            now = self.clock()
            if one.age(now) < self.seconds * _QUICK:
                self.quick_at = now
            if one.given_up:
                return

    def _next(self) -> _Call[Any, Any] | None:
        """Return the next call, to be made at once; None where none is left."""
        with suppress(IndexError):  # threads may take the last one at the same time
            while one := self.waiting.popleft():
                now = self.clock()
                if self.quick_at is None:
                    self.quick_at = now
                patience = _PATIENCE if self.longest is None else _SHORT_PATIENCE
                if now - self.quick_at < self.seconds * patience:
                    one.started = now
                    self.running.add(one)
                    return one
                one.answer = _timeout(
                    "not called: no call before it on the same server got an answer"
                )
                one.done.set()
        return None


def _timeout(what: str) -> TemporaryError:
    return TemporaryError(Reason.TIMEOUT, what, _HINT)
