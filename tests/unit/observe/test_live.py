"""What stands in targets now, told apart by fingerprints."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from threading import Event, Lock
from typing import TYPE_CHECKING, NoReturn

from msgspec.structs import replace

from rotator.core.errors import Reason, TemporaryError
from rotator.core.model import Content, Held, Mark, Policy, Secret
from rotator.core.ports import Source, Target
from rotator.core.record import KnownCredential, Record, TargetRecord
from rotator.core.rotation import Rotation
from rotator.observe.live import read_now
from rotator.observe.view_model import EntryFound
from rotator.system.each import AT_ONCE, ThreadedEach
from tests.support import MARKED, NOW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rotator.core.model import Credential
    from rotator.observe.view_model import Found

DOCUMENT = "hmac:document"


def fingerprint(text: str) -> str:
    """Name a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class Place(Target):
    """A target that holds what it is told to, and must not be written."""

    def __init__(self, held: Held | Exception, policy: Policy) -> None:
        super().__init__("place", policy)
        self.held = held

    def read(self) -> Held:
        """Return it, or raise it."""
        if isinstance(self.held, Exception):
            raise self.held
        return self.held

    def write(self, text: Secret, mark: Mark, replacing: Held) -> NoReturn:
        """Fail the test."""
        raise AssertionError((text, mark, replacing))


def known(password: str) -> KnownCredential:
    """Return the record of a login."""
    return KnownCredential(fingerprint(f"u:{password}"), "source", NOW, None, None)


RECORD = Record(
    credentials={"a": (known(f"{MARKED}new"), known(f"{MARKED}old")), "b": (known("x"),)},
    targets={"place": TargetRecord((DOCUMENT,))},
)


def document(**logins: str) -> Secret:
    """Return a docker config."""
    auths = {
        name: {"auth": b64encode(f"u:{text}".encode()).decode()} for name, text in logins.items()
    }
    return Secret(json.dumps({"auths": auths}))


class Given(Source):
    """A source of these registries, which nobody asks."""

    def fetch(self, previous: Sequence[Credential]) -> NoReturn:
        """Fail the test."""
        raise AssertionError(previous)


def read(*targets: Target, registries: str = "a", record: Record = RECORD) -> dict[str, Found]:
    """Return what is told of these targets."""
    source = Given("source", frozenset(registries))
    return read_now(
        Rotation("r", (source,), targets), record, ThreadedEach(), fingerprint, lambda: NOW
    )


def found(held: Held | Exception, policy: Policy | None = None) -> Found | None:
    """Return what is told of a target that holds this."""
    return read(Place(held, policy or Policy()), registries="abc").get("place")


def test_entries_are_distinguished() -> None:
    """What was published last, before that, by somebody else, and not at all."""
    text = document(a=f"{MARKED}new", b="somebody's", other="foreign")
    mark = Mark({"a": NOW}, DOCUMENT, "r")
    reported = found(Held(text, mark))
    assert reported is not None
    assert reported.mark == "ours"
    assert reported.entries == (
        EntryFound("a", "current", NOW),
        EntryFound("b", "foreign"),
        EntryFound("c", "missing"),
    )
    old = found(Held(document(a=f"{MARKED}old"), Mark({}, "hmac:else", "r")))
    assert old is not None
    assert (old.mark, old.entries[0].entry) == ("foreign", "older")


def test_nothing_there_or_nothing_shown() -> None:
    """An empty place misses everything; a hidden variable says nothing."""
    empty, hidden = found(Held(None)), found(Held(None, withheld=True))
    assert empty is not None
    assert hidden is not None
    assert {e.entry for e in empty.entries} == {"missing"}
    assert {e.entry for e in hidden.entries} == {"withheld"}


def test_only_what_belongs_there() -> None:
    """A filter of registries counts; a paused target is not looked at."""
    reported = found(Held(None), Policy(registries=frozenset("b")))
    assert reported is not None
    assert [e.registry for e in reported.entries] == ["b"]
    assert found(Held(None), Policy(enabled=False)) is None


def test_login_part() -> None:
    """A target that holds a password alone is known by the text that was written there."""
    policy = Policy(content=Content.PASSWORD, registry="a")
    text = f"{MARKED}new"
    written = replace(
        RECORD, targets={"place": TargetRecord(("hmac:planned",), written=fingerprint(text))}
    )
    reported = read(Place(Held(Secret(text)), policy), record=written)["place"]
    assert reported.entries == (EntryFound("a", "current"),)


def test_what_cannot_be_read() -> None:
    """An error is told with its hint, a bug as a bug, a document that is none as malformed."""
    down = found(TemporaryError(Reason.UNREACHABLE, "no connection", "start it"))
    assert down is not None
    assert (down.reason, down.hint) == ("unreachable", "start it")
    bug, broken = found(KeyError(f"{MARKED}x")), found(Held(Secret("{")))
    assert bug is not None
    assert broken is not None
    assert (bug.reason, broken.reason) == ("bug", "malformed")
    assert MARKED not in f"{bug}{broken}"


def test_a_group_is_one() -> None:
    """How many of its members were read, and those that differ: what lacks something first."""

    def member(name: str, held: Held) -> Place:
        place = Place(held, Policy())
        place.name, place.group = name, "all of them"
        return place

    members = [
        member("good", Held(document(a=f"{MARKED}new"))),
        member("foreign", Held(document(a=f"{MARKED}x"))),
        member("empty", Held(None)),
    ]
    reported = read(*members)["all of them"]
    assert (reported.objects, [name for name, _ in reported.differing]) == (3, ["empty", "foreign"])


def test_one_server_is_read_a_few_at_a_time() -> None:
    """Reads that wait for their turn are not late: a server may have thousands of targets."""
    crowded, guard = Event(), Lock()
    running = 0

    class Busy(Place):
        server = "https://gitlab.example.com"

        def read(self) -> Held:
            """Wait a little for one read too many."""
            nonlocal running
            with guard:
                running += 1
                if running > AT_ONCE:
                    crowded.set()
            crowded.wait(0.2)
            with guard:
                running -= 1
            return super().read()

    targets = []
    for number in range(2 * AT_ONCE):
        place = Busy(Held(document(a=f"{MARKED}new")), Policy())
        place.name = f"target {number}"
        targets.append(place)
    reported = read(*targets)
    assert not any(one.differs for one in reported.values())
    assert not crowded.is_set()
