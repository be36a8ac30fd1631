"""Decodes, merges and encodes the docker config: the JSON document with the `auths`.

What is published is what every client understands (measured with Docker CLI 28.2, skopeo 1.9 and
podman 4.3): a bare `host[:port]` key, Docker Hub under its one historical name, an entry that holds
padded standard base64 of `user:password` and nothing else.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from rotator.core.errors import PermanentError, Reason
from rotator.core.model import Credential, Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DOCKER_HUB = "https://index.docker.io/v1/"
_HUB_NAMES = frozenset({"docker.io", "index.docker.io"})
_API_VERSIONS = ("/v1", "/v2")
_HALF_A_PAIR = re.compile("[\ud800-\udfff]")

# A known field of another type makes docker reject the whole file, so such an entry can't stay.
_TEXT_FIELDS = (
    "auth",
    "username",
    "password",
    "email",
    "serveraddress",
    "identitytoken",
    "registrytoken",
)


_NO_HELPER = "clients fail in images that don't have it (BuildKit, skopeo, podman)"
_TRAPS = (
    ("credsStore", f"credsStore names a credential helper, and {_NO_HELPER}", "take it out"),
    ("credHelpers", f"credHelpers name credential helpers, and {_NO_HELPER}", "take them out"),
    (
        "currentContext",
        "currentContext names a context of docker, and without it every command of docker fails",
        "take it out",
    ),
)
"""Top-level keys that work where the document was made, and break jobs elsewhere."""

_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class DockerConfig:
    """The document as found: `auths` by their original keys, and every other top-level key."""

    auths: Mapping[str, Any] = field(default_factory=dict, repr=False)
    rest: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def logins(self) -> dict[str, tuple[str, Secret]]:
        """Return username and password of every registry whose entry holds them.

        Where two keys mean one registry, the key as we would write it counts. A key with half a
        surrogate pair in it is no registry's.
        """
        found: dict[str, tuple[str, Secret]] = {}
        for key, entry in self.auths.items():
            registry = registry_key(key)
            pair = _login(entry) if _is_text(key) else None
            if pair is not None and (registry not in found or key == registry):
                found[registry] = pair
        return found

    def warnings(self) -> list[tuple[str, str]]:
        """Return what a person should know of this document, each with what to do about it.

        Every client can read it, and some go wrong all the same.
        """
        named: dict[str, list[str]] = {}
        for key in sorted(self.auths):
            named.setdefault(registry_key(key), []).append(key)
        told = []
        for registry, keys in named.items():
            host, path, _ = registry.partition("/")
            if path and host in named:
                what = f"{shown(registry)} and {shown(host)} are both in the document: Docker "
                what += "ignores the one with a path"
                told.append((what, "keep one of the two, if both are not for different clients"))
            if any(self.auths[key] != self.auths[keys[0]] for key in keys):
                what = f"{' and '.join(map(shown, keys))} are one registry with different logins"
                told.append((f"{what}: clients use either, at random", "take out all but one"))
        return told + [(what, todo) for key, what, todo in _TRAPS if self.rest.get(key)]


class Merged(Struct, frozen=True):
    """A merged document, and the keys of other people's entries that had to be left out of it."""

    config: DockerConfig
    left_out: tuple[str, ...]


def registry_key(name: str) -> str:
    """Return the key that this registry has in `auths`, however it was written.

    Docker Hub's names become `https://index.docker.io/v1/`. Elsewhere scheme, API version and
    trailing slash are dropped and case is folded; the port counts and `host/path` is a registry of
    its own.
    """
    bare = name.strip().lower()
    for scheme in ("https://", "http://"):
        bare = bare.removeprefix(scheme)
    bare = bare.rstrip("/")
    for version in _API_VERSIONS:
        bare = bare.removesuffix(version)
    return DOCKER_HUB if bare in _HUB_NAMES else bare


def shown(key: str) -> str:
    """Return a key of somebody's document as it may be printed: a login can be in it, or worse."""
    bare = key.rpartition("@")[2][:_LONGEST_NAME]
    return "".join(letter if letter.isprintable() else "?" for letter in bare) or "an empty name"


def decode(text: str) -> DockerConfig:
    """Read a docker config.

    Raises `PermanentError` (malformed) where the text is empty, no JSON object, or has `auths` that
    are no object. Single entries are not judged here: `merge` leaves out what no client can decode.
    """
    if not text.strip():
        raise _malformed("it is empty")
    try:
        document = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError:
        raise _malformed("it is nested too deeply") from None
    except ValueError as error:
        # The parser's own message may quote the document, so only the place is passed on.
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise _malformed(f"it is not JSON{where}") from None
    if not isinstance(document, dict):
        raise _malformed("it is not a JSON object")
    auths = document.pop("auths", None)
    if auths is None:
        auths = {}
    if not isinstance(auths, dict):
        raise _malformed("its `auths` is not a JSON object")
    return DockerConfig(auths, document)


def encode(config: DockerConfig) -> str:
    """Write a docker config: compact, keys sorted, one line, no newline at its end.

    Compact because GitLab masks no value with white space in it, and because a job's unquoted
    `echo $DOCKER_AUTH_CONFIG` keeps it whole.
    """
    return json.dumps({**config.rest, "auths": config.auths}, sort_keys=True, separators=(",", ":"))


def merge(
    config: DockerConfig,
    ours: Iterable[Credential],
    remove: frozenset[str] = frozenset(),
) -> Merged:
    """Put our credentials into somebody's document and keep everything else.

    Every key that means one of our registries makes way for the one key that all clients find. An
    entry that no client can decode is left out, as it breaks its neighbours: Docker then loses good
    hosts at random, and GitLab Runner drops the whole document.
    """
    entries = {credential.registry: _entry(credential) for credential in ours}
    gone = remove | entries.keys()
    others = {key: entry for key, entry in config.auths.items() if registry_key(key) not in gone}
    kept = {key: entry for key, entry in others.items() if _usable(entry)}
    left_out = tuple(sorted(others.keys() - kept.keys()))
    return Merged(DockerConfig({**kept, **entries}, config.rest), left_out)


def login_text(username: str, password: Secret) -> str:
    """Return what identifies a login: the `user:password` that its entry encodes."""
    return f"{username}:{password.reveal()}"


def _entry(credential: Credential) -> dict[str, str]:
    login = login_text(credential.username, credential.password)
    return {"auth": base64.b64encode(login.encode()).decode("ascii")}


def _usable(entry: Any) -> bool:
    """Tell whether clients can read this entry: the rule of docker/cli's decodeAuth.

    As Go's JSON does, null counts as absent, and the case of a field's name does not count.
    """
    if entry is None:
        return True
    if not isinstance(entry, dict):
        return False
    known = [
        (name.lower(), value)
        for name, value in entry.items()
        if name.lower() in _TEXT_FIELDS and value is not None
    ]
    if not all(isinstance(value, str) for _, value in known):
        return False
    return all(_decode_auth(value) is not None for name, value in known if name == "auth" and value)


def _login(entry: Any) -> tuple[str, Secret] | None:
    if not entry or not _usable(entry):
        return None
    fields = {name.lower(): value for name, value in entry.items() if value is not None}
    if fields.get("auth"):
        raw = _decode_auth(fields["auth"]) or b""
        try:
            username, _, password = raw.decode("utf-8").partition(":")
        except UnicodeDecodeError:
            return None
    else:
        username, password = fields.get("username", ""), fields.get("password", "")
    if not (username and password) or not (_is_text(username) and _is_text(password)):
        return None
    return username, Secret(password)


def _decode_auth(auth: str) -> bytes | None:
    """Return `user:password`, or None where Go's base64.StdEncoding or docker would refuse it."""
    try:
        raw = base64.b64decode(auth.replace("\r", "").replace("\n", ""), validate=True)
    except (binascii.Error, ValueError):
        return None
    username, colon, _ = raw.partition(b":")
    return raw if username and colon else None


def _is_text(value: str) -> bool:
    """Tell whether this can be encoded again: JSON can hold half a surrogate pair."""
    return _HALF_A_PAIR.search(value) is None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number


def _malformed(why: str) -> PermanentError:
    return PermanentError(
        Reason.MALFORMED,
        f"the docker config cannot be read: {why}",
        "see what is in it; if nothing there is wanted, delete it and rotator makes a new one",
    )
