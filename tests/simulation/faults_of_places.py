"""What goes wrong with places, and what people do to the documents in them."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from rotator.core.errors import (
    GoneError,
    LoginRejectedError,
    PermanentError,
    Reason,
)
from rotator.core.model import Content, Merge
from tests.simulation import document as docker_config
from tests.simulation.faults import HINT, HOUR, Faults, temporary
from tests.simulation.place import LATE, Place
from tests.simulation.registries import USER
from tests.simulation.watch import HEARTBEAT, URGENT

if TYPE_CHECKING:
    from collections.abc import Callable


_ENTRY = {"auth": "YTpi"}


class PlaceFaults(Faults):
    """Places that refuse, hang or hide, and people who edit, delete and damage documents."""

    def kinds(self) -> dict[str, Callable[[], bool]]:
        """Return every fault by its name."""
        return {
            "edited": self.edited,
            "deleted": self.deleted,
            "damaged": self.damaged,
            "credsStore set": self.store_set,
            "old text": self.old_text,
            "write refused": self.write_refused,
            "unreadable": self.unreadable,
            "hangs": self.hangs,
        }

    def edited(self) -> bool:
        """A person changes the document: an entry, our entry, another key."""
        places = [p for p in self.watch.places if p.text and not (p.hidden or p.damaged)]
        if not places:
            return False
        place = self.chance.choice(places)
        if place.content is not Content.DOCKER_CONFIG:
            text = "changed by a person"
        else:
            text = json.dumps(self._edit(json.loads(place.text or "{}")))
        place.edit(text, drops_mark=self.chance.random() < 0.3)
        self.time.say("person", f"edits {place.name}: {text}")
        # An entry that is taken out again and again counts when it is found there once more.
        self.watch.disturbance("edited", 2 * self.poll + self.wait)
        return True

    def _edit(self, document: dict[str, Any]) -> dict[str, Any]:
        auths = document.setdefault("auths", {})
        some = self.chance.choice(sorted(auths) or ["other.example.com"])
        number = self.chance.randrange(99)
        changes: list[tuple[dict[str, Any], str, object]] = [
            (auths, f"r{number}.people.example", _ENTRY),
            (document, f"key{number % 9}", {"any": "thing"}),
            (auths, some, None),
            (auths, some, _ENTRY),
            (auths, some, {"auth": "no base64"}),
            (auths, f"https://{some}", _ENTRY),
            (document, "credHelpers", {some: "missing"}),
            (auths, some, self._dead_entry(some)),
            (auths, some.upper(), self._dead_entry(some)),
            (document, "HttpHeaders", "no object"),
            (auths, "old.example.com", _ENTRY),
        ]
        where, name, value = self.chance.choice(changes)
        if value is None:
            where.pop(name, None)
        else:
            where[name] = value
        return document

    def _dead_entry(self, registry: str) -> dict[str, str]:
        """Return the entry of a password that has ended, or of any that was issued."""
        tokens = [t for t in self.watch.world.tokens.values() if t.registry == registry]
        if not tokens:
            return _ENTRY
        login = f"{USER}:{self.chance.choice(tokens[-20:]).password}"
        return {"auth": base64.b64encode(login.encode()).decode()}

    def store_set(self) -> bool:
        """A person has logins stored by a program, which no job has, and takes it out again."""
        places = [p for p in self.watch.places if p.text and not (p.one_value or p.damaged)]
        if not places:
            return False
        place = self.chance.choice(places)

        def put(store: str | None) -> None:
            if place.text is None or place.damaged:
                return
            document = {**json.loads(place.text), "credsStore": store}
            if store is None:
                del document["credsStore"]
            place.edit(json.dumps(document), drops_mark=False)

        def over() -> None:
            put(None)
            self.ends(place.name, 2 * self.poll + self.wait)
            # A rotator that writes meanwhile can undo it: the person finds that it is back.
            self.time.after(self.poll, lambda: "credsStore" in (place.text or "") and over())

        put("pass")
        self.begins("credsStore set", place.name, self.duration(), over)
        return True

    def deleted(self) -> bool:
        """A person deletes the place, or empties it."""
        place = self.chance.choice([p for p in self.watch.places if not p.hidden] or [None])
        if place is None:
            return False
        place.edit(None, drops_mark=True)
        self.time.say("person", f"deletes {place.name}")
        self.watch.disturbance("deleted", 2 * self.poll + self.wait)
        return True

    def old_text(self) -> bool:
        """A tool puts back what was there some time ago, as a restored backup or a slow editor."""
        places = [p for p in self.watch.places if len(p.past) > 2 and not p.one_value]
        if not places:
            return False
        place = self.chance.choice(places)
        _, text, mark = self.chance.choice(list(place.past)[1:])
        if "credsStore" in (text or "") or not docker_config.read(text).readable:
            return False
        if self.chance.random() < 0.5:
            place.mark = mark
        place.edit(text, drops_mark=False)
        self.time.say("person", f"restores {place.name}")
        # It may be as well a lease that has been retired: the next look finds it dead.
        late = 0.0 if place.compares else LATE
        self.watch.disturbance("old text", 2 * self.poll + self.wait + late)
        return True

    def damaged(self) -> bool:
        """A person truncates the document, or forgets a comma; a person deletes it in the end."""
        places = [
            p
            for p in self.watch.places
            if p.content is Content.DOCKER_CONFIG and not p.hidden and p.text and not p.damaged
        ]
        if not places:
            return False
        place = self.chance.choice(places)
        text = place.text or ""
        if self.chance.random() < 0.5:
            text = text[: self.chance.randrange(max(len(text) // 2, 1))]
        else:
            text = text.replace('"auths":{', '"auths":{"typo.example": {"auth": "YTpi"}', 1)
        place.edit(text, drops_mark=self.chance.random() < 0.3)
        if not place.damaged:
            return False
        self.time.say("person", f"damages {place.name}: {text!r}")
        if place.stores_damaged or self._is_replaced(place):
            self.watch.disturbance("damaged", 2 * self.poll + self.wait)
            return True

        def over() -> None:
            if place.damaged:
                place.edit(None, drops_mark=True)
                self.time.say("person", f"deletes {place.name}")
            self.ends("damaged", self.poll + self.wait)

        self.begins("damaged", place.name, self.duration(), over)
        return True

    def _is_replaced(self, place: Place) -> bool:
        return any(
            target.policy.merge is Merge.REPLACE
            for host in self.watch.sharers(place)
            for target in host.targets
            if target.place is place
        )

    def write_refused(self) -> bool:
        """A place can't be written."""
        place = self.chance.choice(self.watch.places)
        if place.no_write is not None:
            return False

        def over() -> None:
            place.no_write = None
            self.ends(place.name, self.wait)

        permanent = self.chance.random() < 0.5
        place.no_write = lambda: (
            PermanentError(Reason.FORBIDDEN, "403", HINT)
            if permanent
            else temporary(Reason.UNAVAILABLE)
        )
        self.begins("write refused", place.name, self.duration(), over)
        return True

    def unreadable(self) -> bool:
        """A place can't be read, or it refuses the login until a person puts a new one."""
        place = self.chance.choice(self.watch.places)
        if place.no_read is not None:
            return False
        refused = not place.local and self.chance.random() < 0.5
        gone = place.local and self.chance.random() < 0.5

        def over() -> None:
            place.no_read = None
            place.readable(yes=True)
            place.stamp += refused
            for host in self.watch.hosts:
                host.nudge()
            self.ends(place.name, HEARTBEAT + URGENT if refused else self.wait)

        def problem() -> Exception:
            if refused:
                return LoginRejectedError("401", HINT)
            if gone:
                return GoneError(Reason.UNREADABLE, "a directory is there", HINT)
            if place.local:
                return PermanentError(Reason.UNREADABLE, "permission denied", HINT)
            return temporary(Reason.UNREACHABLE)

        place.no_read = problem  # type: ignore[assignment]
        place.readable(yes=False)
        self.begins("unreadable", place.name, self.duration(), over)
        return True

    def hangs(self) -> bool:
        """Calls to a place hang until the deadline, and return much later."""
        places = [p for p in self.watch.places if not p.local and p.hangs_until <= self.time.now]
        if not places:
            return False
        place = self.chance.choice(places)
        seconds = self.duration(HOUR)
        place.hangs_until = self.time.now + seconds
        # Others call again at their next try, and a call lands late.
        self.begins(
            "hangs",
            place.name,
            seconds,
            lambda: self.ends(place.name, 300.0 + self.poll + self.wait),
        )
        return True
