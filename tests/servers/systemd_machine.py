"""A Debian machine in a container, booted with its own systemd and rotator installed on it.

The machine has this machine's network.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

from tests.servers.debian_root import PROJECT, debian_root, install
from tests.support import missing, need, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ENVIRONMENT = {"PATH": _PATH, "LANG": "C.UTF-8", "SYSTEMD_COLORS": "0"}
_CGROUPS = ("systemd", "unified", "")


class SystemdMachine:
    """A booted machine; a context manager. `root` is its root directory, to be read and written.

    It sees `layers` over one another, the first on top; what it writes is in memory.
    """

    def __init__(self, folder: Path, layers: Sequence[Path]) -> None:
        self.root = folder / "root"
        self._nspawn = need("systemd-nspawn", "systemd-container")
        self._nsenter = need("nsenter", "util-linux")
        self._layers = layers
        self._memory = folder / "memory"
        self._log = folder / "console.log"
        self._name = f"rotator-{os.getpid()}-{folder.name}"
        self._leader = 0
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Put its root together, and boot it."""
        with ExitStack() as stack:
            stack.push(self)
            self._mount("tmpfs", self._memory, "mode=755")
            upper, work = self._memory / "upper", self._memory / "work"
            for path in (upper, work):
                path.mkdir(mode=0o755)
            lower = ":".join(map(str, self._layers))
            self._mount("overlay", self.root, f"lowerdir={lower},upperdir={upper},workdir={work}")
            self.root.chmod(0o755)  # the mode of the upmost layer otherwise
            self._boot()
            stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End it; nothing of it is left."""
        self._stack.close()

    def run(self, *command: str, user: str = "", text: str | None = None) -> str:
        """Run a command in the machine as root or `user`; return its output; fail if it does."""
        code, output = self.attempt(*command, user=user, text=text)
        assert code == 0, f"{' '.join(command)}: {output}"
        return output

    def attempt(self, *command: str, user: str = "", text: str | None = None) -> tuple[int, str]:
        """Run a command in the machine; return its exit code and everything that it printed."""
        done = subprocess.run(
            self.command(*command, user=user),
            env=_ENVIRONMENT,
            input=text or "",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )
        return done.returncode, done.stdout

    def command(self, *command: str, user: str = "") -> list[str]:
        """Return what runs a command in the machine as root or `user`."""
        group = "nogroup" if user == "nobody" else user
        switch = ["setpriv", f"--reuid={user}", f"--regid={group}", "--init-groups"] if user else []
        return [self._nsenter, "-t", str(self._leader), "-a", *switch, *command]

    def installer(self, what: str) -> str:
        """Run a part of deploy/install.sh in the machine."""
        return self.run("sh", "-s", what, text=(PROJECT / "deploy" / "install.sh").read_text())

    def _mount(self, kind: str, place: Path, options: str) -> None:
        place.mkdir()
        subprocess.run(["mount", "-t", kind, "-o", options, "rotator-tests", place], check=True)
        self._stack.callback(_unmount, place)

    def _boot(self) -> None:
        groups = self._groups()
        for group in groups:
            group.mkdir()
            self._stack.callback(_remove_group, group)
        enter = " ".join(f"echo $$ >{group}/cgroup.procs;" for group in groups)
        command = [
            *(self._nspawn, "-D", str(self.root), "-b", "-M", self._name),
            *("--register=no", "--keep-unit", "--console=pipe", "--resolv-conf=off"),
        ]
        with self._log.open("wb") as log:
            process = subprocess.Popen(
                ["sh", "-c", f'{enter} exec "$@"', "sh", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._stack.callback(self._end, process)
        until(lambda: self._is_up(process), 60, "the machine to boot")

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        if self._leader:
            os.kill(self._leader, signal.SIGKILL)
        else:
            process.terminate()
        process.wait(30)

    def _groups(self) -> list[Path]:
        """Return its control groups: in version 1 and mixed set-ups one in each hierarchy."""
        top = Path("/sys/fs/cgroup")
        found = [top / name for name in _CGROUPS if (top / name / "cgroup.procs").exists()]
        return [group / self._name for group in found]

    def _is_up(self, process: subprocess.Popen[bytes]) -> bool:
        if process.poll() is not None:
            lines = self._log.read_text(errors="replace").splitlines() or ["no output"]
            missing(f"systemd-nspawn ({lines[-1]})", "run the tests as root of a whole machine")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for child in map(int, children):
            try:
                program = Path(f"/proc/{child}/exe").readlink()
            except OSError:  # it has ended
                continue
            if program.name == "systemd":
                self._leader = child
        if not self._leader:
            return False
        return self.attempt("systemctl", "is-system-running")[1].strip() in {"running", "degraded"}


def _unmount(place: Path) -> None:
    subprocess.run(["umount", "--lazy", place], check=True)


def _remove_group(group: Path) -> None:
    # What was in there has ended; those made inside go first.
    inside = [path for path in group.rglob("*") if path.is_dir()]
    for path in [*sorted(inside, reverse=True), group]:
        path.rmdir()


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a directory with what `make install DESTDIR=` puts there; nobody writes in it."""
    debian_root()  # whatever is missing for a machine is missing here
    place = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent  # every worker's: the first one installs
    folder = place / "installed"
    with (place / "installed.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            part = place / "installing"
            install(part)
            part.rename(folder)
    return folder


@contextmanager
def _booted(installed: Path, folder: Path) -> Iterator[SystemdMachine]:
    with SystemdMachine(folder, [installed, debian_root()]) as machine:
        machine.installer("activate")
        yield machine


@pytest.fixture(scope="session")
def systemd_machine(
    installed: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SystemdMachine]:
    """Give a booted machine with rotator installed and its user there."""
    with _booted(installed, tmp_path_factory.mktemp("machine")) as machine:
        yield machine


@pytest.fixture
def other_machine(installed: Path, tmp_path: Path) -> Iterator[SystemdMachine]:
    """Give the same for one test alone, which may take rotator away."""
    folder = tmp_path / "other"
    folder.mkdir()
    with _booted(installed, folder) as machine:
        yield machine
