"""Many rotations with short lives and many faults, for as long as asked: `make soak MINUTES=30`.

One daemon has 50 rotations, each with a login that lives a minute: half an hour has as many
renewals as 15 days of ECR. Meanwhile the servers fail, hang and throttle, files are edited, torn
and removed, and the configuration is read again. What it holds (memory, files, threads) must stay
the same, and no entry may end before it is renewed. The daemon has the environment of its unit.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from random import Random, SystemRandom
from statistics import median
from typing import TYPE_CHECKING

import yaml

from tests.benchmarks import installed
from tests.benchmarks.measure import cpu_seconds, resident_bytes, running
from tests.fakes.registry import BasicRegistry
from tests.fakes.vault_door import Answer, Request, VaultDoor, refusal
from tests.support import until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROTATIONS = 50
LIFE = 60
_NOWHERE = "http://127.0.0.1:1"
# Seconds in which a fault lasts, between two faults, and in which a file that was changed is put
# back; a call that hangs is given up after 15 s.
_LASTS, _BETWEEN, _REPAIRED = (1.0, 8.0), (2.0, 8.0), 40.0
_FLAT = 0.02


def main() -> int:
    """Run it, print what was measured, and return 1 where something grew or ended."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(10**6))
    wanted = parser.parse_args()
    say("seed", str(wanted.seed))
    installed.PLACE.mkdir(mode=0o700, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix="soak-", dir=installed.PLACE))
    try:
        with ExitStack() as stack:
            registry = stack.enter_context(BasicRegistry({}))
            world = World(place, registry, stack.enter_context(VaultDoor(_NOWHERE)))
            command = [str(installed.rotator() / "rotator"), "--config", str(world.config), "run"]
            environment = {"PATH": os.environ["PATH"], "VAULT": "s3cr3t-soak", **units_own()}
            log = place / "daemon.log"
            world.pid = stack.enter_context(running(command, environment, place, log))
            until(world.complete, 120, "every rotation to publish")
            chance = Random(wanted.seed)  # noqa: S311  a run is to be repeated
            good = Soak(world, chance, wanted.minutes * 60).run()
            if not good:
                kept = installed.PLACE / "soak.log"
                shutil.copy(log, kept)
                say("the log", f"{kept}")
        return 0 if good else 1
    finally:
        shutil.rmtree(place)


def units_own() -> dict[str, str]:
    """Return the environment that the daemon has in its unit."""
    unit = (installed.ROOT / "systemd" / "rotator.service").read_text()
    return dict(re.findall(r"^Environment=(\w+)=(.*)$", unit, re.MULTILINE))


class World:
    """The servers, the files, and every login that was ever given, with its end."""

    def __init__(self, place: Path, registry: BasicRegistry, door: VaultDoor) -> None:
        self.pid = 0
        self.registry = registry
        self.door = door
        self.files = [place / "docker" / f"{n}.json" for n in range(ROTATIONS)]
        self.ends: dict[str, float] = {}
        self._numbers = count()
        (place / "docker").mkdir(mode=0o700)
        json_type = {"Content-Type": "application/json"}
        door.rude["lookup-self"] = Answer(200, '{"data": {"ttl": 0}}', json_type)
        door.rude["creds/"] = self._give
        door.rude["leases/revoke"] = Answer(204, "", {})
        self.config = place / "soak.yaml"
        self.config.touch(mode=0o600)
        self.config.write_text(yaml.safe_dump(self._configuration(place)))

    def complete(self) -> bool:
        """Tell whether every rotation has published."""
        return all(self.end(path) is not None for path in self.files)

    def end(self, path: Path) -> float | None:
        """Return when the entry in a file ends; None where there is none to be read."""
        try:
            auth = json.loads(path.read_text())["auths"][self.registry.host]["auth"]
        except (OSError, ValueError, KeyError):
            return None
        return self.ends.get(base64.b64decode(auth).decode().partition(":")[0])

    def _give(self, _: Request) -> Answer:
        user = f"robot-{next(self._numbers)}"
        self.registry.passwords[user] = f"s3cr3t-{user}"
        self.ends[user] = time.monotonic() + LIFE
        body = {
            "lease_id": f"creds/{user}",
            "lease_duration": LIFE,
            "renewable": False,
            "data": {"username": user, "password": f"s3cr3t-{user}"},
        }
        return Answer(200, json.dumps(body), {"Content-Type": "application/json"})

    def _configuration(self, place: Path) -> dict[str, object]:
        return {
            "version": 1,
            "state_dir": str(place / "state"),
            "rotations": [
                {
                    "name": f"soak-{n}",
                    "longest_job": "5s",
                    "schedule": {"poll": "10s", "retry": {"initial": "1s", "max": "5s"}},
                    "sources": [
                        {
                            "type": "vault",
                            "address": self.door.url,
                            "auth": {"method": "token", "token_env": "VAULT"},
                            "path": f"creds/{n}",
                            "engine": "dynamic",
                            "registry": self.registry.host,
                        }
                    ],
                    "targets": [{"type": "file", "path": str(path), "durable": False}],
                }
                for n, path in enumerate(self.files)
            ],
        }


class Soak:
    """The run: faults, one after the other, while the daemon is watched."""

    def __init__(self, world: World, chance: Random, seconds: float) -> None:
        self.world = world
        self.chance = chance
        self.seconds = seconds
        self.samples: list[tuple[int, int, int]] = []
        self.missed: list[str] = []
        self.touched: dict[Path, float] = {}
        self.faults = 0

    def run(self) -> bool:
        """Go through it and tell whether all is well."""
        began, burnt = time.monotonic(), cpu_seconds(self.world.pid)
        shown = fault_at = began
        over: tuple[float, Callable[[], None]] | None = None
        while (now := time.monotonic()) < began + self.seconds:
            if over is not None and now >= over[0]:
                over[1]()
                over, fault_at = None, now + self.chance.uniform(*_BETWEEN)
            elif over is None and now >= fault_at:
                over = now + self.chance.uniform(*_LASTS), self._fault()
            self._watch(now)
            if now - shown >= 60:
                shown = now
                self._progress((now - began) / 60)
            time.sleep(0.5)
        if over is not None:
            over[1]()
        say("rotations", f"{ROTATIONS}, {len(self.world.ends)} logins given, {self.faults} faults")
        say("CPU", f"{(cpu_seconds(self.world.pid) - burnt) / self.seconds * 100:.1f} %")
        say("missed renewals", f"{len(self.missed)} {' '.join(self.missed[:3])}")
        flat = [
            self._flat(name, [one[n] for one in self.samples])
            for n, name in enumerate(("memory", "files", "threads"))
        ]
        return not self.missed and all(flat)

    def _watch(self, now: float) -> None:
        pid = self.world.pid
        threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
        files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        self.samples.append((resident_bytes(pid), files, threads))
        for path in self.world.files:
            if now - self.touched.get(path, -_REPAIRED) < _REPAIRED:
                continue
            end = self.world.end(path)
            if end is None or end < now:
                self.missed.append(f"{path.name} at {len(self.samples)}")
                self.touched[path] = now

    def _flat(self, what: str, values: Sequence[int]) -> bool:
        """Compare the second fifth of the run with the last one.

        The least of each counts for files and threads: a call that hangs has its own.
        """
        fifth = max(1, len(values) // 5)
        usual = median if what == "memory" else min
        early, late = usual(values[fifth : 2 * fifth]), usual(values[-fifth:])
        good = late <= early * (1 + _FLAT)
        say(what, f"{early:.0f} at first, {late:.0f} at the end ({late / early - 1:+.1%}), "
            f"at most {max(values)}{'' if good else ': it grows'}")  # fmt: skip
        return good

    def _progress(self, minutes: float) -> None:
        memory, files, threads = self.samples[-1]
        say(f"{minutes:.0f} minutes", f"{memory / 1e6:.1f} MB, {files} files, {threads} threads, "
            f"{len(self.world.ends)} logins, {self.faults} faults, {len(self.missed)} missed"
        )  # fmt: skip

    def _fault(self) -> Callable[[], None]:
        """Break something; return what repairs it."""
        self.faults += 1
        break_it = self.chance.choice(
            [self._sealed, self._throttled, self._hangs, self._page, self._reload]
            + 2 * [self._removed, self._torn, self._edited]
        )
        return break_it()

    def _sealed(self) -> Callable[[], None]:
        return self._rude(refusal(503, "Vault is sealed"))

    def _throttled(self) -> Callable[[], None]:
        return self._rude(refusal(429, "rate limit quota exceeded", headers={"Retry-After": "2"}))

    def _rude(self, answer: Answer) -> Callable[[], None]:
        usual = dict(self.world.door.rude)
        self.world.door.rude = {"": answer}

        def over() -> None:
            self.world.door.rude = usual

        return over

    def _hangs(self) -> Callable[[], None]:
        self.world.door.slow()
        return self.world.door.hurry

    def _page(self) -> Callable[[], None]:
        self.world.registry.blocked = "<html>a proxy's page</html>"

        def over() -> None:
            self.world.registry.blocked = ""

        return over

    def _reload(self) -> Callable[[], None]:
        os.kill(self.world.pid, signal.SIGHUP)
        return lambda: None

    def _removed(self) -> Callable[[], None]:
        self._victim().unlink(missing_ok=True)
        return lambda: None

    def _torn(self) -> Callable[[], None]:
        self._victim().write_text('{"auths": {')
        return lambda: None

    def _edited(self) -> Callable[[], None]:
        self._victim().write_text('{"auths": {"other.example.com": {"auth": "YTpzM2NyM3QtYg=="}}}')
        return lambda: None

    def _victim(self) -> Path:
        path = self.chance.choice(self.world.files)
        self.touched[path] = time.monotonic()
        return path


def say(what: str, text: str) -> None:
    """Print a line of the answer."""
    print(f"{what:22} {text}", flush=True)  # noqa: T201  it talks to a person


if __name__ == "__main__":
    sys.exit(main())
