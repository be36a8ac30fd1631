"""The step that carries plans out; a target is planned again where somebody else was faster."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from rotator.core.errors import ConflictError, PermanentError, Reason
from rotator.core.failure import Failure
from rotator.core.observe import decoded
from rotator.core.plan import plan
from rotator.core.situation import Decision, Keep, Situation, Write

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from rotator.core.model import Held
    from rotator.core.ports import Clock, Target
    from rotator.core.rotation import Ports

# Seconds after which a call that hangs is given up. Drivers have shorter timeouts of their own.
WRITE_SECONDS = 60.0

# As often as client-go's `retry.DefaultRetry` does.
_TRIES = 5

# A read that is younger than this is not repeated: that would take as long as the gap it closes.
_RECENT = timedelta(seconds=1)


class Handled(Struct, frozen=True):
    """What the cycle did with one target that it read, or will do: it may leave it as it is.

    Situation and decision are those of the last try.
    """

    situation: Situation
    decision: Decision
    failure: Failure | None = None
    seconds: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def write(self) -> Write | None:
        """What was written; None where nothing was, or the write failed."""
        return None if self.failure or not isinstance(self.decision, Write) else self.decision

    @property
    def stale(self) -> bool:
        """Tell whether the read may show what was there before our last write."""
        return isinstance(self.decision, Keep) and self.decision.stale

    @property
    def again_at(self) -> datetime | None:
        """When the target has to be read again, where a poll is too late."""
        return self.decision.again_at if isinstance(self.decision, Keep) else None


def carry_out(planned: Mapping[str, Handled], ports: Ports, *, dry_run: bool) -> dict[str, Handled]:
    """Carry every plan out at once; return what came of each. A dry run writes nothing."""
    action = probe if dry_run else write

    # Called with targets, not with plans: the fan-out knows by them which one still hangs.
    def act(target: Target) -> Handled:
        return action(planned[target.name], ports.clock)

    targets = [one.situation.observation.target for one in planned.values()]
    answers = zip(planned.items(), ports.each(act, targets, WRITE_SECONDS), strict=True)
    return {
        name: replace(one, failure=Failure.of(answer)) if isinstance(answer, Exception) else answer
        for (name, one), answer in answers
    }


def write(planned: Handled, clock: Clock) -> Handled:
    """Write what is planned for a target; return what came of it, whatever its driver raises."""
    s, decision = planned.situation, planned.decision
    target = s.observation.target
    began = clock()
    notes: tuple[str, ...] = ()
    failure = None
    tries = 0
    try:
        age = began - (s.observation.read_at or s.now)
        may_change = s.foreign_mark is not None or age > _RECENT
        if not target.compares and isinstance(decision, Write) and may_change:
            # The server can't compare, so the gap between read and write is made short.
            s = _read_again(s)
            decision = plan(s)
        while isinstance(decision, Write):
            try:
                after = _write_decided(s, decision)
                notes = after.notes
                if _is_changed(decision, after):
                    s, failure = _with_held(s, after), _changed_on_the_server(target.name)
                break
            except ConflictError:
                tries += 1
                if tries == _TRIES:
                    raise
                s = _read_again(s)
                decision = plan(s)
        if isinstance(decision, Keep) and target.completes:
            target.complete(s.held)
    except Exception as error:  # noqa: BLE001  a failed write is an answer, a bug in it too
        failure = Failure.of(error)
    return Handled(s, decision, failure, (clock() - began).total_seconds(), notes)


def probe(planned: Handled, clock: Clock) -> Handled:
    """Ask whether the target would take what is planned, where it can be asked; write nothing."""
    s, decision = planned.situation, planned.decision
    target = s.observation.target
    if not isinstance(decision, Write) or not target.probes_writes:
        return planned
    began = clock()
    try:
        target.probe_write(decision.text, decision.mark, s.held)
    except Exception as error:  # noqa: BLE001  a refusal is an answer, a bug in it too
        seconds = (clock() - began).total_seconds()
        return replace(planned, failure=Failure.of(error), seconds=seconds)
    return planned


def as_read(handled: Mapping[str, Handled]) -> dict[str, Handled]:
    """Return what a dry run leaves: every target as it was read."""
    return {
        name: replace(one, decision=Keep()) if isinstance(one.decision, Write) else one
        for name, one in handled.items()
    }


def _write_decided(s: Situation, decision: Write) -> Held:
    target = s.observation.target
    held = target.set_aside(s.held) if decision.set_aside else s.held
    return target.write(decision.text, decision.mark, held)


def _is_changed(decision: Write, after: Held) -> bool:
    """Tell whether a server holds something else than what it was sent."""
    return not after.withheld and after.text is not None and after.text != decision.text


def _changed_on_the_server(name: str) -> Failure:
    return Failure.of(
        PermanentError(
            Reason.INVALID,
            f"{name} took the write and holds something else: a policy or a webhook of its server "
            "changed it",
            "find what changes this object on the server, and make an exception for it there",
        )
    )


def _read_again(s: Situation) -> Situation:
    return _with_held(s, s.observation.target.read())


def _with_held(s: Situation, held: Held) -> Situation:
    config = decoded(s.observation.target, held)
    past = s.past
    if held.mark is not None and held.mark == s.held.mark and held.text != s.held.text:
        past = replace(past, edited=held.mark.fingerprint)
    return replace(
        s,
        observation=replace(s.observation, held=held, config=config),
        past=past,
        remembered=s.observation.config or s.remembered,
    )
