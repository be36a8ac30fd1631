"""One fetch for all rotations that want the same of the same source."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest
from msgspec.structs import replace

from rotator.core.errors import LoginRejectedError
from rotator.core.model import Credential, Lease, Secret
from rotator.core.ports import Source
from rotator.system.shared_source import WINDOW, Fetches, SharedSource
from tests.support import MARKED, NOW

LOGIN = Credential("registry.example.com", "ci", Secret(f"{MARKED}1"), NOW)
LEASE = Lease("lease/1", NOW + timedelta(hours=1), renewable=True)


class Counted(Source):
    """Counts what it is asked; `answer` is given, or raised where it is an error."""

    token_expires_at = NOW

    def __init__(self) -> None:
        super().__init__("vault", frozenset({LOGIN.registry}))
        self.answer: Credential | Exception = LOGIN
        self.fetches = 0
        self.revoked: list[Lease] = []
        self.revoke_after = timedelta(minutes=5)

    def fetch(self, previous: object) -> list[Credential]:  # noqa: ARG002  as the port has it
        """Give the answer."""
        self.fetches += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return [self.answer]

    def login_stamp(self) -> str | None:
        """Return something to look at."""
        return "stamp"

    def revoke(self, lease: Lease) -> None:
        """Remember it."""
        self.revoked.append(lease)


@dataclass
class Shared:
    """Two rotations with the same source, and a clock."""

    driver: Counted
    seconds: float = 1000.0

    def __post_init__(self) -> None:
        fetches = Fetches(self.driver, lambda: self.seconds)
        self.one = SharedSource("vault", "one", fetches)
        self.two = SharedSource("registry", "two", fetches)


@pytest.fixture
def shared() -> Shared:
    """Return two views of one source."""
    return Shared(Counted())


def test_two_rotations_share_a_fetch(shared: Shared) -> None:
    """The second rotation of a cycle window gets what the first was given."""
    assert shared.one.fetch(()) == shared.two.fetch(()) == [LOGIN]
    assert shared.driver.fetches == 1


def test_who_asks_again_gets_a_new_answer(shared: Shared) -> None:
    """A rotation that asks a second time wants something newer than it has."""
    shared.one.fetch(())
    shared.one.fetch(())
    assert shared.driver.fetches == 2


def test_an_answer_grows_old(shared: Shared) -> None:
    """After the window the other rotation asks for itself."""
    shared.one.fetch(())
    shared.seconds += WINDOW
    shared.two.fetch(())
    assert shared.driver.fetches == 2


def test_a_failure_is_shared(shared: Shared) -> None:
    """A wrong login is offered once, not once a rotation: five of them lock a role."""
    shared.driver.answer = LoginRejectedError("wrong secret id", "replace it")
    for view in (shared.one, shared.two):
        with pytest.raises(LoginRejectedError):
            view.fetch(())
    assert shared.driver.fetches == 1


def test_a_bug_is_not_shared(shared: Shared) -> None:
    """An error that nobody meant to raise is each rotation's own."""
    shared.driver.answer = ZeroDivisionError()
    for view in (shared.one, shared.two):
        with pytest.raises(ZeroDivisionError):
            view.fetch(())
    assert shared.driver.fetches == 2


def test_a_lease_is_never_shared(shared: Shared) -> None:
    """Whoever ends a lease must be the only one that lives on it."""
    shared.driver.answer = replace(LOGIN, lease=LEASE)
    shared.one.fetch(())
    shared.two.fetch(())
    assert shared.driver.fetches == 2


def test_everything_else_is_the_drivers(shared: Shared) -> None:
    """Names are the rotation's own; what the driver knows is the driver's."""
    shared.driver.changes_early = True
    view = shared.two
    assert (view.name, view.registries) == ("registry", frozenset({LOGIN.registry}))
    assert (view.changes_early, view.login_stamp()) == (True, "stamp")
    assert view.revoke_after == timedelta(minutes=5)
    view.learned = "engine"
    assert (shared.driver.learned, view.learned) == ("engine", "engine")
    assert view.token_expires_at == NOW
    view.revoke(LEASE)
    assert shared.driver.revoked == [LEASE]
