"""The interpreter survives its starts, however its threads meet."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import yaml

from tests.e2e.site import GUARD, PROGRAM, UNGUARDED
from tests.support import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.kubernetes import FakeKubernetes

# Threads take turns every 10 microseconds, so that what happens once in fifty starts happens often.
HURRIED = "import sys; sys.setswitchinterval(1e-5); from rotator.cli import main; main()"
STARTS = int(os.environ.get("ROTATOR_TEST_STARTS", "5"))
CRASHED = (
    "exit status -11: the interpreter crashed. Perhaps two threads used a type of msgspec for the "
    "first time at once: see rotator/decoding.py, and below where each thread was.\n"
)


class Cluster:
    """A configuration whose rotations each publish a login in a ConfigMap and in a Secret."""

    def __init__(self, place: Path, fake: FakeKubernetes, rotations: int) -> None:
        self.place = place
        fake.objects.namespaces["ci"] = "Active"
        login = place / "login.json"
        login.write_text('{"auths": {"registry.example.com": {"auth": "dTpzM2NyM3QtcA=="}}}')
        login.chmod(0o600)
        object_ = {"namespace": "ci", "kubeconfig": str(fake.kubeconfig(place / "kubeconfig"))}
        self.names = [f"r{n}" for n in range(rotations)]
        document = {
            "version": 1,
            "state_dir": str(place / "state"),
            "rotations": [
                {
                    "name": name,
                    "prove": "off",
                    "sources": [{"type": "docker_config", "path": str(login)}],
                    "targets": [
                        {"type": "kubernetes_configmap", **object_, "name": name},
                        {"type": "kubernetes_secret", **object_, "name": name},
                    ],
                }
                for name in self.names
            ],
        }
        self.config = place / "rotator.yaml"
        self.config.write_text(yaml.safe_dump(document))

    def start(self, *arguments: str, guarded: bool = False) -> subprocess.Popen[str]:
        """Start a command in a hurry, or guarded: `tests/e2e/guard` then says what might crash."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.place)}
        environment |= {"PYTHONPATH": str(GUARD)} if guarded else {"PYTHONFAULTHANDLER": "1"}
        program = [sys.executable, "-c", HURRIED] if not guarded else [PROGRAM]
        return subprocess.Popen(
            [*program, "--config", self.config, *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def end_daemon(self, daemon: subprocess.Popen[str]) -> str:
        """Stop a daemon once every rotation had its first cycle; return what it printed."""
        records = [self.place / "state" / f"{name}.json" for name in self.names]
        try:
            until(
                lambda: daemon.poll() is not None or all(map(is_at_rest, records)),
                60,
                "every first cycle",
            )
        finally:
            daemon.send_signal(signal.SIGTERM)
        return finished(daemon, {0})

    def forget(self) -> None:
        """Let the next start be a first one."""
        shutil.rmtree(self.place / "state", ignore_errors=True)


def is_at_rest(record: Path) -> bool:
    """Tell whether a cycle has ended."""
    return record.exists() and '"ended_at":"' in record.read_text()


def finished(process: subprocess.Popen[str], codes: set[int]) -> str:
    """Return what a command printed; it ended by itself and with one of these codes."""
    output, _ = process.communicate(timeout=90)
    assert process.returncode != -signal.SIGSEGV, CRASHED + output
    assert process.returncode in codes, output
    return output


def test_a_run_survives(tmp_path: Path, fake_kubernetes: FakeKubernetes) -> None:
    """Two targets of a rotation are read and written by two threads, each for the first time."""
    cluster = Cluster(tmp_path, fake_kubernetes, rotations=1)
    for _ in range(STARTS):
        cluster.forget()
        finished(cluster.start("run-once"), {0})


def test_a_check_survives(tmp_path: Path, fake_kubernetes: FakeKubernetes) -> None:
    """Each target is checked in a thread of its own."""
    cluster = Cluster(tmp_path, fake_kubernetes, rotations=2)
    for _ in range(STARTS):
        finished(cluster.start("check"), {0, 1})


def test_a_daemon_survives(tmp_path: Path, fake_kubernetes: FakeKubernetes) -> None:
    """Sixteen rotations have their first cycles at once."""
    cluster = Cluster(tmp_path, fake_kubernetes, rotations=16)
    for _ in range(max(1, STARTS // 2)):
        cluster.forget()
        cluster.end_daemon(cluster.start("run"))


def test_nothing_is_built_or_imported_without_the_lock(
    tmp_path: Path, fake_kubernetes: FakeKubernetes
) -> None:
    """What the tests above hope to meet by chance is not there, in any command."""
    cluster = Cluster(tmp_path, fake_kubernetes, rotations=2)
    document = str(tmp_path / "login.json")
    output = cluster.end_daemon(cluster.start("run", guarded=True))
    for arguments in (
        ["run-once"],
        ["check"],
        ["check", "--consume"],
        ["check", "--document", document],
        ["status", "--live"],
        ["schema"],
    ):
        output += finished(cluster.start(*arguments, guarded=True), {0, 1})
    assert UNGUARDED not in output


def test_the_guard_sees(tmp_path: Path) -> None:
    """What the guard is for is said, and what has the lock is not."""
    code = """
import msgspec, sys
from rotator import decoding
class A(msgspec.Struct): a: int
class B(msgspec.Struct): b: int
decoding.convert({"a": 1}, A)
msgspec.convert({"b": 1}, B)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(GUARD)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.splitlines() == [f"{UNGUARDED}: msgspec builds <class '__main__.B'>"]


def test_a_crash_is_said(tmp_path: Path, fake_kubernetes: FakeKubernetes) -> None:
    """A crash of the interpreter leaves on standard error where each thread was."""
    cluster = Cluster(tmp_path, fake_kubernetes, rotations=1)
    daemon = subprocess.Popen(
        [PROGRAM, "--config", cluster.config, "run"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    until((tmp_path / "state" / "r0.json").exists, 60, "the first cycle")
    daemon.send_signal(signal.SIGSEGV)
    _, errors = daemon.communicate(timeout=30)
    assert daemon.returncode == -signal.SIGSEGV
    assert "Fatal Python error: Segmentation fault" in errors
    assert "rotator/daemon.py" in errors
