"""The docker config: the JSON document with the `auths`, decoded and encoded.

rotator publishes the form that every client understands (measured with Docker CLI 28.2, skopeo 1.9
and podman 4.3): a bare `host[:port]` key, Docker Hub under its one historical name, an entry that
holds padded standard base64 of `user:password` and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from rotator.core import docker_fields
from rotator.core.docker_entry import is_decodable, is_text, login_of, registry_key, shown
from rotator.core.docker_fields import folded
from rotator.core.errors import PermanentError, Reason

if TYPE_CHECKING:
    from rotator.core.model import Secret

# What is nested so deeply can also be written again, wherever that is done; Go stops at 10,000.
_DEEPEST = 400

_HELPER_MISSING = (
    "where its program is missing, GitLab Runner drops the whole document, and Docker 29, "
    "docker build, crane and oras fail"
)


class DockerConfig(Struct, frozen=True, dict=True):
    """The document as found: `auths` by their original keys, and every other top-level key."""

    auths: Mapping[str, Any] = {}
    rest: Mapping[str, Any] = {}

    def __repr__(self) -> str:
        return "DockerConfig(***)"

    @cached_property
    def _decoded(self) -> tuple[tuple[str, str, tuple[str, Secret] | None], ...]:
        """Every key with its registry and its login: decoded once, as a cycle asks often."""
        return tuple(
            (key, registry_key(key), login_of(entry) if is_text(key) else None)
            for key, entry in self.auths.items()
        )

    def logins(self, *, exact: bool = False) -> dict[str, tuple[str, Secret]]:
        """Return username and password of every registry whose entry holds them.

        Where two keys mean one registry, the key as we would write it counts. `exact`: only keys
        that are written so, as other spellings are not found by all clients. A key that can't be
        encoded is no registry's.
        """
        found: dict[str, tuple[str, Secret]] = {}
        for key, registry, pair in self._decoded:
            if exact and key != registry:
                continue
            if pair is not None and (registry not in found or key == registry):
                found[registry] = pair
        return found

    def has_rivals(self, registry: str) -> bool:
        """Tell whether another key means this registry too, with another login.

        Clients do not agree on which of them they take.
        """
        same = {key: pair for key, meant, pair in self._decoded if meant == registry}
        return any(pair != same.get(registry) for pair in same.values())

    @cached_property
    def helpers(self) -> Mapping[str, Any]:
        """Return `credHelpers`: the credential helper of each registry, as the document has it."""
        found = self._field("credhelpers")
        return found if isinstance(found, dict) else {}

    @cached_property
    def store(self) -> str:
        """Return `credsStore`: the credential helper that clients ask instead of `auths`."""
        found = self._field("credsstore")
        return found if isinstance(found, str) else ""

    def mistyped(self) -> tuple[str, ...]:
        """Return the top-level fields whose type makes every Docker client read no login at all."""
        return tuple(
            sorted(
                name
                for name, value in self.rest.items()
                if docker_fields.misfit(name, value) is not None
            )
        )

    @cached_property
    def breaks_clients(self) -> bool:
        """Tell whether clients read no login in it, or lose good ones at random."""
        return bool(self.mistyped()) or not all(map(is_decodable, self.auths.values()))

    def warnings(self) -> list[tuple[str, str]]:
        """Return what a person should know of this document, each with what to do about it.

        Every client can read it, and some go wrong all the same.
        """
        named: dict[str, list[str]] = {}
        for key in sorted(self.auths):
            named.setdefault(registry_key(key), []).append(key)
        found = []
        for registry, keys in named.items():
            host, path, _ = registry.partition("/")
            if path and host in named:
                what = f"{shown(registry)} and {shown(host)} are both in the document: Docker "
                what += "ignores the one with a path"
                found.append((what, "keep one of the two, if both are not for different clients"))
            if any(self.auths[key] != self.auths[keys[0]] for key in keys):
                what = f"{' and '.join(map(shown, keys))} are one registry with different logins"
                found.append((f"{what}: clients use either, at random", "take out all but one"))
        if self.store:
            what = f"credsStore names `{shown(self.store)}`, which clients ask instead of `auths`"
            found.append((f"{what}; {_HELPER_MISSING}", "take credsStore out of the document"))
        if self.helpers:
            hosts = ", ".join(sorted(map(shown, self.helpers)))
            what = f"credHelpers names a credential helper for {hosts}: {_HELPER_MISSING}"
            found.append((what, "take credHelpers out of the document"))
        if self._field("currentcontext"):
            what = "currentContext names a context of docker, and without it every command fails"
            found.append((what, "take currentContext out of the document"))
        return found

    def _field(self, name: str) -> Any:
        return next((value for key, value in self.rest.items() if folded(key) == name), None)


def decode(text: str) -> DockerConfig:
    """Read a docker config, as Go's decoder does: two members `auths` are one, whatever their case.

    Raises `PermanentError` (malformed) where the text is empty, no JSON object, or has `auths` that
    are no object. Single entries are not judged here: `docker_merge.merge` leaves out what no
    client can decode.
    """
    if not text.strip():
        raise _malformed("it is empty")
    if text.startswith("\ufeff"):
        raise _malformed("it begins with a byte order mark, which no client reads")
    try:
        members = json.loads(
            text,
            parse_constant=_no_constant,
            parse_int=partial(_as_written, int),
            parse_float=partial(_as_written, float),
            object_pairs_hook=_Members,
        )
        return _document(members)
    except RecursionError:
        raise _malformed("it is nested too deeply") from None
    except ValueError as error:
        # The parser's own message may quote the document, so only the place is passed on.
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise _malformed(f"it is not JSON{where}") from None


def _document(members: Any) -> DockerConfig:
    if not isinstance(members, _Members):
        raise _malformed("it is not a JSON object")
    auths: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for name, value in members:
        if folded(name) != "auths":
            _add(rest, name, _plain(value))
        elif isinstance(value, _Members):
            auths |= _plain(value)
        elif value is None:
            auths = {}
        else:
            raise _malformed("its `auths` is not a JSON object")
    return DockerConfig(auths, rest)


def _add(rest: dict[str, Any], name: str, value: Any) -> None:
    """Add a member as Go's decoder does: of two for one field the last counts, two maps are one."""
    same = next((key for key in rest if docker_fields.is_one_field(key, name)), None)
    if same is not None:
        past = rest.pop(same)
        if isinstance(past, dict) and isinstance(value, dict):
            value = past | value
    rest[name] = value


def encode(config: DockerConfig) -> str:
    """Write a docker config: compact, keys sorted, one line, no newline at its end.

    Compact because GitLab masks no value with white space in it, and because a job's unquoted
    `echo $DOCKER_AUTH_CONFIG` keeps it whole.
    """
    return _text({**config.rest, "auths": config.auths})


def _text(value: Any) -> str:
    if isinstance(value, Number):
        return value.digits
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{_text(name)}:{_text(value[name])}' for name in sorted(value))}}}"
    if isinstance(value, list):
        return f"[{','.join(map(_text, value))}]"
    return json.dumps(value)


class Number(Struct, frozen=True):
    """A number that Python can't hold, or would write in another way than its author did."""

    digits: str


def _as_written(kind: type[int | float], digits: str) -> int | float | Number:
    """Return a number; its text counts where it is another: clients read over any (1e999)."""
    with suppress(ValueError):  # more digits than Python takes
        if repr(kind(digits)) == digits:
            return kind(digits)
    return Number(digits)


class _Members(list[tuple[str, Any]]):
    """The members of a JSON object in their order, with names that occur twice."""


def _plain(value: Any, depth: int = 0) -> Any:
    """Return a decoded value with dictionaries for its objects: of two members the last counts."""
    if depth > _DEEPEST:
        raise RecursionError
    if isinstance(value, _Members):
        return {name: _plain(member, depth + 1) for name, member in value}
    if isinstance(value, list):
        return [_plain(item, depth + 1) for item in value]
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _malformed(why: str) -> PermanentError:
    return PermanentError(
        Reason.MALFORMED,
        f"the docker config cannot be read: {why}",
        "see what is in it; if nothing there is wanted, delete it and rotator makes a new one",
    )
