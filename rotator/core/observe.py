"""The step that reads the targets: what each holds now, or why it could not be read."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  a Struct's field
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from rotator.core import docker_config
from rotator.core.docker_config import DockerConfig  # noqa: TC001  a Struct's field
from rotator.core.errors import DriverError
from rotator.core.failure import Failure
from rotator.core.model import Content, Held
from rotator.core.schedule import LOGIN_REJECTED_LONGEST

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from rotator.core.ports import Clock, Each, Target
    from rotator.core.record import FailureRecord, Record
    from rotator.core.rotation import Rotation

# Seconds after which a read that hangs is given up. Drivers have shorter timeouts of their own.
READ_SECONDS = 20.0


class Observation(Struct, frozen=True):
    """One target: what it holds, or its failure, or neither where it was left out of this cycle.

    `config` is the document, decoded; None where there is none, or it can't be decoded.
    `login_stamp`: that of its driver when it was asked, at `read_at`. `repeated`: it was not asked,
    as its login was refused before and has not changed; `failure` is the one from then.
    """

    target: Target
    held: Held | None = None
    config: DockerConfig | None = None
    failure: Failure | None = None
    login_stamp: str | None = None
    read_at: datetime | None = None
    repeated: bool = False

    @property
    def left_out(self) -> bool:
        """Tell whether this cycle does nothing with the target."""
        return self.held is None and self.failure is None


def observe(
    rotation: Rotation,
    record: Record,
    each: Each,
    clock: Clock,
    failures: Mapping[str, Failure],
    *,
    force: bool = False,
    only: Collection[str] = (),
) -> dict[str, Observation]:
    """Read every enabled target; return what came of it by the target's name.

    `failures`: targets that can't be read, and why. `force`: offer a login again that was refused.
    `only`: read these targets; all where empty.
    """
    now = clock()
    found: dict[str, Observation] = {}
    asked = []
    for target in rotation.targets:
        if not target.policy.enabled:
            continue
        found[target.name] = Observation(target, failure=failures.get(target.name))
        if target.name in failures or not is_wanted(target, only):
            continue
        refusal = None if force else _refusal(target, record, now)
        if refusal is None:
            asked.append(target)
        else:
            failure = Failure.recorded(refusal)
            found[target.name] = Observation(target, failure=failure, repeated=True)
    for target, answer in zip(
        asked, each(partial(_read, clock=clock), asked, READ_SECONDS), strict=True
    ):
        if isinstance(answer, Exception):
            answer = Observation(target, failure=Failure.of(answer))  # noqa: PLW2901
        found[target.name] = answer
    return found


def is_wanted(target: Target, only: Collection[str]) -> bool:
    """Tell whether a cycle deals with a target: it, or its group, is named, or none is."""
    return not only or target.name in only or target.group in only


def _read(target: Target, clock: Clock) -> Observation:
    """Read one target; return what came of it, whatever its driver raises."""
    asked = Observation(target, login_stamp=target.login_stamp(), read_at=clock())
    try:
        held = target.read()
        return replace(asked, held=held, config=decoded(target, held))
    except Exception as error:  # noqa: BLE001  a failed read is an answer, a bug in it too
        return replace(asked, failure=Failure.of(error))


def decoded(target: Target, held: Held) -> DockerConfig | None:
    """Return the docker config that a target holds; None where there is none to be decoded."""
    if held.text is None or target.policy.content is not Content.DOCKER_CONFIG:
        return None
    try:
        return docker_config.decode(held.text.reveal())
    except DriverError:
        return None


def with_members(
    rotation: Rotation, each: Each, only: Collection[str] = ()
) -> tuple[Rotation, dict[str, Failure]]:
    """Return the rotation with every group of targets replaced by its members, and failures.

    A group whose members could not be listed stands for itself, and has a failure.
    """
    groups = [t for t in rotation.targets if t.is_group and t.policy.enabled]
    asked = [group for group in groups if not only or group.name in only]
    answers = dict(zip(asked, each(_members, asked, READ_SECONDS), strict=True))
    targets: list[Target] = []
    failures = {}
    for target in rotation.targets:
        answer = answers.get(target, (target,))
        if isinstance(answer, Exception):
            failures[target.name] = Failure.of(answer)
            answer = (target,)
        for one in answer:
            one.configured = target.configured
        targets += answer
    return replace(rotation, targets=tuple(targets)), failures


def _members(target: Target) -> Sequence[Target]:
    return target.members()


def _refusal(target: Target, record: Record, now: datetime) -> FailureRecord | None:
    """Return the failure of a target whose login was refused and is still the same."""
    failure = record.target(target.name).failure
    if failure is None or failure.login_stamp is None:
        return None
    # A wait that is longer than any: the clock went back.
    if not now < failure.retry_at <= now + LOGIN_REJECTED_LONGEST:
        return None
    return failure if failure.login_stamp == target.login_stamp() else None
