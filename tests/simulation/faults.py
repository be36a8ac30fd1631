"""What goes wrong in the world: each fault begins, may last for a while, and ends."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rotator.core.errors import Reason, TemporaryError
from tests.simulation.place import LATE
from tests.simulation.timeline import span
from tests.simulation.watch import URGENT

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.simulation.watch import Watch

HOUR, DAY = 3600.0, 86400.0
HINT = "wait"
_AT_ONCE = 3


class Faults:
    """Makes one kind of faults happen.

    `unit`: the time in which this world usually renews something; `length`: how long it is
    simulated.
    """

    def __init__(self, watch: Watch, chance: Random, unit: float, length: float) -> None:
        self.watch = watch
        self.time = watch.time
        self.chance = chance
        self.unit = unit
        self.length = length

    def kinds(self) -> dict[str, Callable[[], bool]]:
        """Return every fault by its name; each returns whether there was something to spoil."""
        raise NotImplementedError

    def duration(self, longest: float = DAY) -> float:
        """Choose how long a fault lasts: from seconds to days, some in the world's own pace."""
        longest = min(longest, self.length / 8)
        if self.chance.random() < 0.5:
            return min(self.unit * 3 * self.chance.random() + 1.0, longest)
        return float(min(2.0 * 43200 ** self.chance.random(), longest))

    @property
    def poll(self) -> float:
        """The longest poll of all rotations, in seconds."""
        return max(h.rotation.schedule.poll.total_seconds() for h in self.watch.hosts)

    @property
    def wait(self) -> float:
        """The longest wait for the next try: 15 s, or a twentieth of the life left."""
        retry_max = max(h.rotation.schedule.retry_max.total_seconds() for h in self.watch.hosts)
        stale = any(place.stale for place in self.watch.places)
        retry = min(retry_max, max(URGENT, self.watch.longest_left() / 19)) * 1.1
        return retry + LATE * stale + self.learning

    @property
    def learning(self) -> float:
        """How long a registry may need until it knows a new password, and until it is asked."""
        return 2 * max(self.watch.world.delays.values(), default=0.0)

    def begins(self, kind: str, where: str, seconds: float, over: Callable[[], None]) -> None:
        """Note a fault that lasts; `over` is called at its end."""
        self.time.say("world", f"{kind} at {where} for {span(seconds)}")
        self.watch.disturbed[kind] += 1
        self.watch.recent += 1

        def end() -> None:
            self.time.say("world", f"{kind} at {where} ends")
            self.watch.disturbed[kind] -= 1
            over()

        self.time.after(seconds, end)

    def ends(self, what: str, recovery: float) -> None:
        """Note that a fault is over, and when all is right again."""
        self.watch.disturbance(what, recovery)


class AllFaults:
    """Every kind of fault there is; `counts`: how often each happened."""

    def __init__(self, watch: Watch, parts: list[Faults]) -> None:
        self.watch = watch
        self.counts: Counter[str] = Counter()
        self._kinds = {name: fault for part in parts for name, fault in part.kinds().items()}

    def names(self) -> list[str]:
        """Return the names of all faults."""
        return sorted(self._kinds)

    def happen(self, kind: str) -> None:
        """Let this fault begin, unless too much is wrong already."""
        if self.watch.disturbed.total() < _AT_ONCE and self._kinds[kind]():
            self.counts[kind] += 1


def temporary(reason: Reason, retry_after: float | None = None) -> TemporaryError:
    """Return an error that waiting repairs."""
    return TemporaryError(reason, str(reason), HINT, retry_after=retry_after)
