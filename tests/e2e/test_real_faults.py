"""`rotator run` between a real OpenBao with leases of 20 s and a registry whose passwords expire.

A client pulls every 100 ms while things break. No pull may fail but in the outages that
`tests.e2e.puller.DECLARED` names. ROTATOR_TEST_LONG=1 runs for minutes, with 50 kills.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.puller import Puller
from tests.e2e.scene import LONGEST_JOB, Scene
from tests.e2e.site import PROGRAM
from tests.fakes.rabbitmq import RabbitMq
from tests.fakes.registry import BasicRegistry
from tests.servers.lasting_openbao import LastingOpenBao
from tests.support import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LONG = bool(os.environ.get("ROTATOR_TEST_LONG"))
KILLS, ROUNDS, FAILURES = (50, 5, 4) if LONG else (5, 0, 1)
SEED = int(os.environ.get("ROTATOR_TEST_SEED") or time.time_ns())


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LastingOpenBao]:
    """Give an OpenBao that can be stopped and started."""
    with LastingOpenBao(tmp_path_factory.mktemp("lasting") / "openbao") as server:
        yield server


@pytest.fixture
def stage(tmp_path: Path, lasting: LastingOpenBao) -> Iterator[Callable[..., Scene]]:
    """Give what makes a scene; at its end nothing is left running."""
    with ExitStack() as stack:
        rabbit = stack.enter_context(RabbitMq())
        registry = stack.enter_context(BasicRegistry(rabbit.users))

        def make(**settings: Any) -> Scene:
            made = Scene(tmp_path, lasting, rabbit, registry, stack, **settings)
            made.start()
            stack.callback(made.end)
            return made

        yield make


def stop_and_start(scene: Scene, _: Puller) -> None:
    """The server goes away and comes back."""
    scene.bao.stop()
    until(lambda: scene.failures() >= FAILURES, 40, "fetches to fail")
    scene.bao.start()


def seal_and_unseal(scene: Scene, _: Puller) -> None:
    """The server is there and answers nothing."""
    scene.bao.seal()
    until(lambda: scene.failures() >= FAILURES, 40, "fetches to fail")
    scene.bao.unseal()


def freeze(scene: Scene, _: Puller) -> None:
    """The server takes connections and says nothing: calls hang."""
    before = scene.asked_at()
    scene.bao.freeze()
    until(lambda: scene.asked_at() != before, 40, "a fetch")
    scene.bao.thaw()


def revoke_login(scene: Scene, puller: Puller) -> None:
    """An administrator revokes rotator's login token."""
    with puller.outage("Vault revoked the lease"):
        scene.revoke_login()


def reload_often(scene: Scene, __: Puller) -> None:
    """A storm of SIGHUP."""
    before = scene.count("configuration reloaded")
    for _ in range(50):  # the kernel makes one of those that come together
        scene.daemon.signal(signal.SIGHUP)
    until(lambda: scene.count("configuration reloaded") > before, 40, "a reload")


def restart(scene: Scene, puller: Puller) -> None:
    """An orderly stop, then a start; what is replaced then lives on for the jobs that have it."""
    assert scene.daemon.end() == 0
    scene.end()
    scene.start()
    scene.until_renewed()
    puller.finish_jobs()


def garbage(scene: Scene, puller: Puller) -> None:
    """Somebody puts something else into the file, whole and half documents alike."""
    cut_off = scene.file.read_text()[:-20]
    for text in ("garbage", cut_off, '{"auths": {}}')[: None if LONG else 2]:
        with puller.outage("the file was swapped for garbage"):
            scene.file.write_text(text)


def remove(scene: Scene, puller: Puller) -> None:
    """Somebody removes the file."""
    with puller.outage("the file was swapped for garbage"):
        scene.file.unlink()


def full_disk(scene: Scene, _: Puller) -> None:
    """There is no room for a new document."""
    filler = scene.file.with_name("filler")
    enough = scene.count("write failed") + 1

    def failed() -> bool:
        # Filled again each time, as a write that was under way leaves the old document's room.
        with filler.open("ab", buffering=0) as stream, suppress(OSError):
            while True:
                stream.write(bytes(512))
        return scene.count("write failed") >= enough

    until(failed, 40, "a write to fail")
    reported = scene.daemon.events("write failed")[-1]
    assert reported["reason"] == "no_space"
    filler.unlink()


def kill(scene: Scene, _: Puller) -> None:
    """SIGKILL at a random instant of the start or of the work, then a start."""
    scene.let_run(random.uniform(0, 3))  # noqa: S311  a test's chance
    scene.daemon.signal(signal.SIGKILL)
    scene.end()
    scene.begin()


FAULTS = [stop_and_start, seal_and_unseal, freeze, revoke_login, reload_often, restart]
FAULTS += [garbage, remove, full_disk]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_fault(stage: Callable[..., Scene], fault: Callable[[Scene, Puller], None]) -> None:
    """No pull fails outside a declared outage, and afterwards renewals go on."""
    scene = stage(filled=fault is full_disk)
    with Puller(scene.file, scene.registry.host, LONGEST_JOB) as puller:
        fault(scene, puller)
        scene.until_renewed()
    check(scene, puller)


@pytest.mark.timeout(1200)
def test_kills(stage: Callable[..., Scene]) -> None:
    """SIGKILL at random instants costs nothing; in the long form with everything else between."""
    random.seed(SEED)
    scene = stage(filled=LONG)
    plan = [*FAULTS * ROUNDS, *[kill] * KILLS]
    random.shuffle(plan)
    with Puller(scene.file, scene.registry.host, LONGEST_JOB) as puller:
        for fault in plan:
            if fault is not kill:  # one outage after another would outlast a lease
                scene.daemon.ready()
                scene.until_renewed()
            fault(scene, puller)
        scene.until_renewed()
        puller.finish_jobs()
    check(scene, puller)


def test_a_replaced_lease_is_revoked_after_a_restart(stage: Callable[..., Scene]) -> None:
    """It lives on for `revoke_after`; the next life of the daemon ends it, long before its end."""
    scene = stage(lease="1h", login="1h")
    first = set(scene.rabbit.users)
    scene.end()
    for users in (1, 2):
        assert len(scene.rabbit.users) == users
        command = [PROGRAM, "--config", str(scene.config), "run-once"]
        subprocess.run(command, env=scene.environ(), check=True, stdout=subprocess.DEVNULL)
    assert first < set(scene.rabbit.users)
    scene.start()
    until(lambda: len(scene.rabbit.users) == 1, 40, "both old users to go")
    until(lambda: not scene.record().retired, 20, "the journal to know")
    assert scene.daemon.end() == 0


def check(scene: Scene, puller: Puller) -> None:
    """Say how it went, and fail where a pull failed that should not have."""
    lasted = {outage.why: round(outage.ended - outage.began, 2) for outage in puller.outages}
    reported = f"{puller.pulls} pulls, {scene.rabbit.made} users made, ROTATOR_TEST_SEED={SEED}; "
    reported += f"{len(puller.failures)} failed pulls in declared outages (s): {lasted}"
    sys.stdout.write(f"{reported}\n")
    assert puller.unexcused == []
    assert puller.pulls
    assert not scene.count("cycle failed")
    assert scene.daemon.end() == 0
