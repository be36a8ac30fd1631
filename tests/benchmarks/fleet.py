"""A fleet of real daemons on one OpenBao, which read what a hub published: `make fleet HOSTS=40`.

Every host is a `rotator run` with a configuration, a state directory and a file of its own. The
server's audit log counts the requests. A poll is a minute here, so that an hour of the default poll
of five minutes passes in twelve: a fifth of a poll stands for a minute.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from random import Random
from statistics import mean, median
from typing import TYPE_CHECKING

import yaml

from rotator.core import schedule
from rotator.core.model import Schedule
from tests.benchmarks import installed
from tests.benchmarks.measure import cpu_seconds, private_bytes, running
from tests.benchmarks.stored_bao import StoredBao, now
from tests.support import until

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

POLL = timedelta(minutes=1)
# A fifth of the poll, as a minute is of the default one.
BIN = POLL / 5
_POLLS_AN_HOUR = 12
_PUBLISHED = "registry.example.com"


def main() -> int:
    """Run the fleet, print what was measured, and return 1 where a host did not get a version."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.fleet", description=__doc__)
    parser.add_argument("--hosts", type=int, default=40, help="daemons; each takes 25 MB")
    parser.add_argument("--polls", type=int, default=6, help="polls to count requests in")
    parser.add_argument("--outage", type=float, default=90, help="seconds without the server")
    wanted = parser.parse_args()
    installed.PLACE.mkdir(mode=0o700, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix="fleet-", dir=installed.PLACE))
    try:
        with StoredBao(place / "openbao") as bao, ExitStack() as stack:
            fleet = Fleet(place, bao, wanted.hosts)
            fleet.publish("first")
            began = now()
            pids = [stack.enter_context(running(*fleet.command(n), place)) for n in fleet.numbers]
            until(lambda: fleet.have("first"), 600, "every host to have the first version")
            say("hosts", f"{wanted.hosts}, all with the first version after {since(began)}")
            steady(fleet, pids, wanted.polls)
            news(fleet, "second")
            outage(fleet, wanted.outage)
            news(fleet, "third")
        return 0
    finally:
        shutil.rmtree(place)


class Fleet:
    """The hosts: where each has its files, and what the hub publishes for them."""

    def __init__(self, place: Path, bao: StoredBao, hosts: int) -> None:
        self.place = place
        self.bao = bao
        self.numbers = range(hosts)
        bao.api("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
        bao.api("POST", "sys/auth/approle", {"type": "approle"})
        for role, may in (("hub", '"create", "read", "update"'), ("host", '"read"')):
            policy = f'path "secret/data/fleet" {{ capabilities = [{may}] }}'
            bao.api("PUT", f"sys/policies/acl/{role}", {"policy": policy})
            login = {"token_policies": role, "token_ttl": "20m", "token_max_ttl": "24h"}
            bao.api("POST", f"auth/approle/role/{role}", login)
            secret = bao.api("POST", f"auth/approle/role/{role}/secret-id")["data"]["secret_id"]
            write(place / f"{role}-secret-id", secret)
        for number in self.numbers:
            (place / str(number)).mkdir(mode=0o700)
            document = self._rotation(
                str(number),
                {**self._vault("host"), "docker_config_field": "config.json"},
                {"type": "file", "path": str(place / str(number) / "config.json")},
            )
            write(place / f"{number}.yaml", yaml.safe_dump(document))
        hub = self._rotation(
            "hub",
            {"type": "docker_config", "path": str(place / "hub.json")},
            self._vault("hub") | {"type": "vault_kv"},
        )
        write(place / "hub.yaml", yaml.safe_dump(hub))

    def command(self, number: int) -> tuple[list[str], dict[str, str]]:
        """Return a host's command and its environment."""
        program = str(installed.rotator() / "rotator")
        config = str(self.place / f"{number}.yaml")
        return [program, "--config", config, "run"], {"PATH": "/usr/bin:/bin", "HOME": "/nowhere"}

    def publish(self, version: str) -> None:
        """Have the hub publish a version."""
        document = {"auths": {_PUBLISHED: {"username": version, "password": "s3cr3t-of-the-hub"}}}
        write(self.place / "hub.json", json.dumps(document))
        program = str(installed.rotator() / "rotator")
        command = [program, "--config", str(self.place / "hub.yaml"), "run-once", "--quiet"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"the hub could not publish: {done.stdout}{done.stderr}")

    def have(self, version: str) -> bool:
        """Tell whether every host has published this version."""
        return not self.late(version)

    def late(self, version: str) -> list[int]:
        """Return the hosts whose file does not hold this version."""
        return [number for number in self.numbers if self._user(number) != version]

    def asked(self, since: datetime, until: datetime) -> list[float]:
        """Return the seconds after `since` at which the hosts asked the server."""
        times = (at for at, _ in self.bao.requests_of("host") if since <= at < until)
        return [(at - since).total_seconds() for at in times]

    def _user(self, number: int) -> str:
        path = self.place / str(number) / "config.json"
        if not path.exists():
            return ""
        import base64  # noqa: PLC0415

        auth = json.loads(path.read_text())["auths"][_PUBLISHED]["auth"]
        return base64.b64decode(auth).decode().partition(":")[0]

    def _vault(self, role: str) -> dict[str, object]:
        role_id = self.bao.api("GET", f"auth/approle/role/{role}/role-id")["data"]["role_id"]
        secret = str(self.place / f"{role}-secret-id")
        auth = {"method": "approle", "role_id": role_id, "secret_id_file": secret}
        return {"type": "vault", "address": self.bao.url, "auth": auth, "path": "secret/fleet"}

    def _rotation(self, name: str, source: object, target: object) -> dict[str, object]:
        rotation = {
            "name": "fleet",
            "prove": "off",
            "schedule": {"poll": f"{POLL.seconds}s"},
            "sources": [source],
            "targets": [target],
        }
        state = str(self.place / f"state-{name}")
        return {"version": 1, "state_dir": state, "rotations": [rotation]}


def steady(fleet: Fleet, pids: Sequence[int], polls: int) -> None:
    """Count what the hosts ask for while nothing changes, and what they hold and burn."""
    began, burnt = now(), sum(map(cpu_seconds, pids))
    end = began + polls * POLL
    until(lambda: now() >= end, 2 * polls * POLL.seconds, "some polls to pass")
    times, hosts = fleet.asked(began, end), len(pids)
    burnt = sum(map(cpu_seconds, pids)) - burnt
    say("requests", f"{len(times) / hosts / polls * _POLLS_AN_HOUR:.1f} an hour a host, "
        "with the default poll of 5 minutes")  # fmt: skip
    say("busiest minute", f"{busiest(times, end - began):.2f} of the mean")
    say("the same, simulated", f"{simulated(times, end - began, hosts):.2f} of the mean, "
        "from the same beginnings")  # fmt: skip
    say("memory", f"{mean(map(private_bytes, pids)) / 1e6:.1f} MB a host, what is shared left out")
    say("CPU", f"{burnt / hosts / polls * 1000:.1f} ms a host and poll")


def busiest(times: Iterable[float], span: timedelta) -> float:
    """Return how many times the mean the busiest fifth of a poll has."""
    bins = Counter(int(at / BIN.total_seconds()) for at in times)
    return max(bins.values(), default=0) / (sum(bins.values()) / (span / BIN))


def simulated(times: Sequence[float], span: timedelta, hosts: int) -> float:
    """Return the same of hosts that begin where these began and do nothing but wait for a poll."""
    chance, start = Random(1), now()  # noqa: S311  the same each time
    found = []
    for first in sorted(times)[:hosts]:
        at = start + timedelta(seconds=first)
        while at < start + span:
            found.append((at - start).total_seconds())
            at = schedule.poll_at(at, Schedule(poll=POLL), u=chance.random())
    return busiest(found, span)


def news(fleet: Fleet, version: str) -> None:
    """Publish a version, and measure when each host has it."""
    fleet.publish(version)
    began = now()
    late = {number: timedelta() for number in fleet.numbers}
    deadline = began + 5 * POLL
    while (still := fleet.late(version)) and now() < deadline:
        for number in still:
            late[number] = now() - began
        time.sleep(0.2)
    if still:
        sys.exit(f"{len(still)} hosts do not have the {version} version after {since(began)}")
    after = sorted(late.values())
    say(f"{version} version", f"half of the hosts after {median(after).total_seconds():.0f} s, "
        f"all after {after[-1].total_seconds():.0f} s; a poll is {POLL.seconds} s")  # fmt: skip


def outage(fleet: Fleet, seconds: float) -> None:
    """End the server and start it again; count what comes at it when it is back."""
    fleet.bao.stop()
    gone = now()
    until(lambda: (now() - gone).total_seconds() >= seconds, 2 * seconds, "the outage")
    fleet.bao.start()
    back = now()
    end = back + 2 * POLL
    until(lambda: now() >= end, 300, "two polls")
    times = fleet.asked(back, end)
    seconds_of = Counter(map(int, times))
    say("after an outage", f"{seconds:.0f} s: {len(times) / len(fleet.numbers):.1f} requests "
        f"a host in two polls, at most {max(seconds_of.values(), default=0)} a second")  # fmt: skip


def since(began: datetime) -> str:
    """Return the seconds since then, as text."""
    return f"{(now() - began).total_seconds():.0f} s"


def write(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    path.touch(mode=0o600)
    path.write_text(text)


def say(what: str, text: str) -> None:
    """Print a line of the answer."""
    print(f"{what:22} {text}", flush=True)  # noqa: T201  it talks to a person


if __name__ == "__main__":
    sys.exit(main())
