"""rotator and OpenBao's own agent side by side: the same server, login and faults.

Each test prints both columns. Of the agent nothing is asked but to be measured. Times vary with the
chance in both retry ladders; ROTATOR_TEST_LONG=1 has outages and windows as long as real ones.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

import pytest

from tests.e2e.scene import Scene
from tests.fakes.rabbitmq import RabbitMq
from tests.fakes.registry import BasicRegistry
from tests.servers.lasting_openbao import LastingOpenBao
from tests.servers.openbao_agent import OpenBaoAgent
from tests.support import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LONG = bool(os.environ.get("ROTATOR_TEST_LONG"))
WINDOW = 200.0 if LONG else 8.0
"""Seconds for which the agent is watched after rotator is done."""

Login = tuple[str, str]


@pytest.fixture
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LastingOpenBao]:
    """Give an OpenBao that can be stopped and started."""
    with LastingOpenBao(tmp_path_factory.mktemp("lasting") / "openbao") as server:
        server.enable_kv(2, "kv")
        yield server


class Contest:
    """Both, each with a file of its own. `secret`: the KV 2 secret they read, "" for leases."""

    def __init__(self, folder: Path, bao: LastingOpenBao, stack: ExitStack, secret: str) -> None:
        self.rabbit = stack.enter_context(RabbitMq())
        registry = stack.enter_context(BasicRegistry(self.rabbit.users))
        self.bao = bao
        self.host = registry.host
        self.scene = Scene(
            folder,
            bao,
            self.rabbit,
            registry,
            stack,
            renew_after="50%",
            poll="5s",
            longest_job=1,
            lease="30s" if LONG else "6s",
            login="1h",
            more={"path": f"kv/{secret}"} if secret else {},
        )
        path, data = (f"kv/data/{secret}", ".Data.data") if secret else (self.scene.path, ".Data")
        self.agent = OpenBaoAgent(folder, bao.url, self.scene.auth, path, self.host, data)
        self._secret = secret
        self._stack = stack

    def start(self) -> None:
        """Start both."""
        self.scene.begin()
        self._stack.callback(self.scene.end)
        self._stack.enter_context(self.agent)
        self._stack.enter_context(Witness(self.ours, self.rabbit.users))

    def put(self, **fields: str) -> None:
        """Write the KV secret; a password in it works at the registry from now on."""
        if "password" in fields:
            self.rabbit.users["robot"] = fields["password"]
        self.bao.put(f"kv/data/{self._secret}", {"username": "robot", **fields})

    def ours(self) -> Login | None:
        """Return what rotator has published."""
        return _login(self.scene.file, self.host)

    def theirs(self) -> Login | None:
        """Return what the agent has published."""
        return _login(self.agent.file, self.host)

    def works(self, login: Login | None) -> bool:
        """Tell whether the registry accepts a login."""
        return login is not None and self.rabbit.users.get(login[0]) == login[1]

    def until_both_work(self) -> None:
        """Wait until what both published is accepted."""
        until(lambda: self.works(self.ours()), 60, "rotator")
        until(lambda: self.works(self.theirs()), 60, "the agent")

    def measure(self, fault: str) -> tuple[float, float]:
        """Measure how long each takes from now on to publish a new login that works; print it.

        Infinite where the agent does not get there in its window; rotator has to.
        """
        since, before = time.monotonic(), (self.ours(), self.theirs())
        took: dict[str, float] = {}

        def look() -> bool:
            after = time.monotonic() - since
            for name, login in (("rotator", self.ours()), ("agent", self.theirs())):
                if name not in took and login not in before and self.works(login):
                    took[name] = after
            return "rotator" in took and ("agent" in took or after > took["rotator"] + WINDOW)

        until(look, 60 + WINDOW, f"rotator after: {fault}")
        agent = f"{took['agent']:.1f} s" if "agent" in took else "never"
        sys.stdout.write(
            f"{fault}: rotator {took['rotator']:.1f} s, agent {agent} "
            f"(watched for {time.monotonic() - since:.0f} s)\n"
        )
        return took["rotator"], took.get("agent", float("inf"))


class Witness:
    """A context manager that looks at what rotator publishes all the time.

    Whatever it is, it is a login that somebody made; `users` are those there are now.
    """

    def __init__(self, published: Callable[[], Login | None], users: dict[str, str]) -> None:
        self._published = published
        self._users = users
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._made: set[Login] = set()
        self.strange: set[Login] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        assert not self.strange, f"published, and nobody made them: {self.strange}"

    def _run(self) -> None:
        while not self._end.wait(0.01):
            found = self._published()
            self._made |= set(self._users.copy().items())
            if found is not None and found not in self._made:
                self.strange.add(found)


def _login(file: Path, host: str) -> Login | None:
    """Return the login in a file, None where there is none; what is no document fails."""
    if not file.exists():
        return None
    logins = json.loads(file.read_text())["auths"]
    user, _, password = base64.b64decode(logins[host]["auth"]).decode().partition(":")
    return user, password


@pytest.fixture
def contest(tmp_path: Path, lasting: LastingOpenBao) -> Iterator[Callable[[str], Contest]]:
    """Give what makes a contest; at its end nothing is left running."""
    with ExitStack() as stack:
        yield lambda secret: Contest(tmp_path, lasting, stack, secret)


def test_outage(contest: Callable[[str], Contest]) -> None:
    """The server is away for longer than a lease lives: all that was published is dead."""
    both = contest("")
    both.start()
    both.until_both_work()
    both.bao.stop()
    if LONG:
        pass_seconds(75)
    else:
        until(both.scene.is_over, 30, "the end of the lease")
    both.bao.start()
    both.measure("outage")


def test_down_at_the_start(contest: Callable[[str], Contest]) -> None:
    """The server comes after those who ask it."""
    both = contest("")
    both.bao.stop()
    both.start()
    if LONG:
        pass_seconds(90)
    else:
        until(lambda: both.scene.failures() > 1, 40, "two tries")
    both.bao.start()
    both.measure("down at the start")


def test_login_revoked(contest: Callable[[str], Contest]) -> None:
    """Both logins are revoked, and all that was leased with them."""
    both = contest("")
    both.start()
    both.until_both_work()
    both.scene.revoke_login()
    ours, theirs = both.measure("login revoked")
    assert ours <= theirs


def test_missing_key(contest: Callable[[str], Contest]) -> None:
    """Somebody writes the secret without its password: what was published stays."""
    both = contest("missing-key")
    both.put(password="s3cr3t-first")
    both.start()
    both.until_both_work()
    both.put()
    until(lambda: both.scene.count("fetch failed"), 40, "rotator to notice")
    until(lambda: both.theirs() != ("robot", "s3cr3t-first"), 40, "the agent to notice")
    sys.stdout.write(f"missing key: rotator keeps {both.ours()}, agent writes {both.theirs()}\n")
    assert both.ours() == ("robot", "s3cr3t-first")
    both.put(password="s3cr3t-second")
    both.measure("missing key written again")


def test_changed_secret(contest: Callable[[str], Contest]) -> None:
    """A new password in KV 2 is published within the interval of 5 s that both have."""
    both = contest("changed")
    both.put(password="s3cr3t-first")
    both.start()
    both.until_both_work()
    both.put(password="s3cr3t-second")
    both.measure("changed secret")


def pass_seconds(seconds: float) -> None:
    """Let time pass: an outage as long as that one cannot be had sooner."""
    end = time.monotonic() + seconds
    until(lambda: time.monotonic() > end, seconds + 60)
