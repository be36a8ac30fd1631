"""A docker config as the programs that read it see it: repeated members united, entries decoded.

All are built on Go, whose decoder takes repeated names and any case of letters:
https://pkg.go.dev/encoding/json#Unmarshal
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from rotator.core import docker_fields as fields
from rotator.core.docker_entry import decode_auth
from rotator.core.docker_fields import Members, folded

if TYPE_CHECKING:
    from collections.abc import Mapping

AUTHS = "auths"
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_SPACE = " \t\r\n"


class NotJsonError(ValueError):
    """The text is no JSON; the message says so without quoting it."""


class Text(NamedTuple):
    """A text's first JSON value and what stands after it.

    `empty`: there is no value at all. `trailing`: something other than white space follows.
    `several`: for Go's `Decoder.More` another value follows.
    """

    value: Any
    empty: bool = False
    trailing: bool = False
    several: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of `auths`.

    `fits`: its fields have the types that Docker expects, `fits_containers`: those that skopeo and
    podman expect. `decodes`: its `auth` is empty or can be decoded; `login` is what it holds,
    `plain` what stands in `username` and `password` where there is no `auth`. `fields` are the
    names of its other fields.
    """

    fits: bool
    fits_containers: bool
    auth: str = field(default="", repr=False)
    decodes: bool = True
    login: tuple[str, str] | None = field(default=None, repr=False)
    plain: tuple[str, str] | None = field(default=None, repr=False)
    token: bool = False
    fields: tuple[str, ...] = ()

    @property
    def is_broken(self) -> bool:
        """Tell whether Docker fails on it, and with it on the whole document."""
        return not (self.fits and self.decodes)

    @property
    def gives_docker_a_login(self) -> bool:
        """Tell whether Docker sends something for it: a login or a token."""
        return self.login is not None or self.plain is not None or self.token


@dataclass(frozen=True, slots=True)
class Document:
    """A whole docker config.

    `others` are the names at its top besides `auths`, as they are spelt; `misfits` those that
    Docker knows with another type, each with the type that it expects.
    """

    auths: Mapping[str, Entry] = field(default_factory=dict)
    helpers: Mapping[str, str] = field(default_factory=dict)
    store: str = ""
    context: str = ""
    others: tuple[str, ...] = ()
    misfits: tuple[tuple[str, str], ...] = ()
    is_object: bool = True
    empty: bool = False
    trailing: bool = False
    several: bool = False


def parse(text: str) -> Document:
    """Return the document in a text; raise `NotJsonError` where there is none."""
    found = read(text)
    if found.value is None:
        return Document(empty=found.empty, trailing=found.trailing, several=found.several)
    if not isinstance(found.value, Members):
        return Document(is_object=False, trailing=found.trailing, several=found.several)
    members = found.value.pairs
    auths, misfits = _auths(members)
    for name, value in members:
        kind = None if folded(name) == AUTHS else fields.misfit(name, value)
        misfits += [] if kind is None else [(name, kind)]
    helpers = _union(members, "credHelpers")
    return Document(
        auths={key: entry(value) for key, value in auths.items()},
        helpers={host: name for host, name in helpers.items() if isinstance(name, str)},
        store=_last(members, "credsStore"),
        context=_last(members, "currentContext"),
        others=tuple(name for name, _ in members if folded(name) != AUTHS),
        misfits=tuple(misfits),
        trailing=found.trailing,
        several=found.several,
    )


def entry(value: Any) -> Entry:
    """Return what one value in `auths` is to Docker."""
    members = value.pairs if isinstance(value, Members) else ()
    known = {folded(name): each for name, each in members if isinstance(each, str)}
    texts = {name: known.get(name, "") for name in fields.ENTRY_FIELDS}
    auth = texts["auth"]
    login = _login(auth)
    return Entry(
        fits=fields.ENTRY.fits(value),
        fits_containers=fields.CONTAINERS_ENTRY.fits(value),
        auth=auth,
        decodes=not auth or login is not None,
        login=login,
        plain=None if auth or not texts["username"] else (texts["username"], texts["password"]),
        token=bool(texts["identitytoken"] or texts["registrytoken"]),
        fields=tuple(name for name, _ in members if folded(name) != "auth"),
    )


def _login(auth: str) -> tuple[str, str] | None:
    raw = decode_auth(auth)
    if raw is None:
        return None
    user, _, password = raw.decode("utf-8", "replace").partition(":")
    return user, password.strip("\0")


def _auths(members: tuple[tuple[str, Any], ...]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    wrong = [
        (name, "an object of objects")
        for name, value in members
        if folded(name) == AUTHS and not isinstance(value, Members | None)
    ]
    return _union(members, AUTHS), wrong


def _union(members: tuple[tuple[str, Any], ...], field_name: str) -> dict[str, Any]:
    """Return a map that may be there several times: a later key counts, null empties it."""
    union: dict[str, Any] = {}
    for name, value in members:
        if folded(name) != folded(field_name):
            continue
        if value is None:
            union = {}
        elif isinstance(value, Members):
            union |= dict(value.pairs)
    return union


def _last(members: tuple[tuple[str, Any], ...], field_name: str) -> str:
    texts = [
        value
        for name, value in members
        if folded(name) == folded(field_name) and isinstance(value, str)
    ]
    return texts[-1] if texts else ""


def read(text: str) -> Text:
    """Return the first JSON value of a text; raise `NotJsonError` where there is none."""
    begin = len(text) - len(text.lstrip(_SPACE))
    if begin == len(text):
        return Text(None, empty=True)
    if text.startswith("\ufeff"):
        raise NotJsonError("it begins with a byte order mark")
    decoder = json.JSONDecoder(
        object_pairs_hook=_members, parse_constant=_no_constant, parse_int=float
    )
    try:
        value, end = decoder.raw_decode(text, begin)
    except RecursionError:
        raise NotJsonError("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        # The parser's own message may quote the document, so only the place is passed on.
        raise NotJsonError(f"it is not JSON (line {error.lineno})") from None
    except ValueError:
        raise NotJsonError("it is not JSON") from None
    rest = text[end:].strip(_SPACE)
    return Text(_plain(value), trailing=bool(rest), several=bool(rest and rest[0] not in "]}"))


def _members(pairs: list[tuple[str, Any]]) -> Members:
    return Members(tuple((_whole(name), _plain(value)) for name, value in pairs))


def _plain(value: Any) -> Any:
    return _whole(value) if isinstance(value, str) else value


def _whole(text: str) -> str:
    """Return a string as Go reads it, which replaces a lone surrogate."""
    return _LONE_SURROGATE.sub("\ufffd", text)


def _no_constant(name: str) -> None:
    raise ValueError(name)
