"""The fan-out: calls something on many items at once, each in a thread, with one deadline.

The threads are daemon threads, not an executor's: those keep the process from ending while one of
them hangs. Nothing runs on the caller's thread, not even a single call, because it may hang.
"""

from __future__ import annotations

import time
from contextvars import copy_context
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from rotator.core.errors import Reason, TemporaryError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Item = TypeVar("Item")
Answer = TypeVar("Answer")

_HINT = "look at what it waits for: a mount, a name server, a proxy; nothing else waits for it"


class ThreadedEach:
    """Implements `core.ports.Each`. Make one for each rotation: its cycles follow one another.

    An item is told from others by equality, so that a source or a target whose read still hangs is
    not written to either.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._running: set[_Call[Any, Any]] = set()

    def __call__(
        self, call: Callable[[Item], Answer], items: Sequence[Item], seconds: float
    ) -> list[Answer | Exception]:
        """Return one answer or exception for each item, in order, within `seconds`."""
        hanging = tuple(self._running)
        started: list[_Call[Item, Answer] | TemporaryError] = []
        for item in items:
            stuck = next((one for one in hanging if one.item == item), None)
            started.append(self._still(stuck) if stuck else self._start(call, item))
        deadline = self._clock() + seconds
        return [
            one.wait(deadline, self._clock) if isinstance(one, _Call) else one for one in started
        ]

    def busy(self, items: Sequence[Any] | None = None) -> bool:
        """Tell whether a call is still running (on one of `items`, where these are given).

        Between cycles that is one that hangs.
        """
        running = tuple(self._running)
        return bool(running) if items is None else any(one.item in items for one in running)

    def _start(self, call: Callable[[Item], Answer], item: Item) -> _Call[Item, Answer]:
        one = _Call(call, item, self._clock())
        # Context variables (which rotation, for the logs) don't follow into a thread by themselves.
        context = copy_context()
        self._running.add(one)
        Thread(target=context.run, args=(one.run, self._running.discard), daemon=True).start()
        return one

    def _still(self, stuck: _Call[Any, Any]) -> TemporaryError:
        since = self._clock() - stuck.started
        return TemporaryError(
            Reason.TIMEOUT, f"not called: the last call still hangs, for {since:.3g} s now", _HINT
        )


class _Call(Generic[Item, Answer]):
    """One call on one item; `answer` counts once `done` is set."""

    def __init__(self, call: Callable[[Item], Answer], item: Item, started: float) -> None:
        self.item = item
        self.started = started
        self.done = Event()
        self.answer: Answer | Exception
        self._call = call

    def run(self, forget: Callable[[_Call[Item, Answer]], None]) -> None:
        """Make the call, keep what comes of it, and say that it has returned."""
        try:
            self.answer = self._call(self.item)
        except Exception as error:  # noqa: BLE001  an exception is an answer
            self.answer = error
        except BaseException as error:  # noqa: BLE001  a library that calls sys.exit() ends nobody
            self.answer = RuntimeError(f"the call raised {type(error).__name__}")
        finally:
            forget(self)
            self.done.set()

    def wait(self, deadline: float, clock: Callable[[], float]) -> Answer | Exception:
        """Return the answer, or an error when the deadline comes first."""
        if self.done.wait(max(0.0, deadline - clock())):
            return self.answer
        took = clock() - self.started
        return TemporaryError(Reason.TIMEOUT, f"no answer within {took:.3g} s", _HINT)
