"""One entry of `auths`: its key, and the login that it holds, as the clients read them."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from rotator.core import docker_fields
from rotator.core.docker_fields import folded
from rotator.core.model import Credential, Secret

DOCKER_HUB = "https://index.docker.io/v1/"
_HUB_NAMES = frozenset({"docker.io", "index.docker.io"})
_API_VERSIONS = ("/v1", "/v2")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

_LONGEST_NAME = 200

IDENTITY_TOKEN = "<token>"  # noqa: S105  a user name
"""The user name of a login whose password is an identity token: credential helpers write it so.

https://github.com/docker/docker-credential-helpers#development
"""
# The user name that goes with an identity token in an entry, as Azure's login writes it.
_NOBODY = b"00000000-0000-0000-0000-000000000000:"


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
    """Return a key of somebody's document as it may be printed: without a login that is in it."""
    bare = key.rpartition("@")[2][:_LONGEST_NAME]
    return "".join(letter if letter.isprintable() else "?" for letter in bare) or "an empty name"


def login_text(username: str, password: Secret) -> str:
    """Return what identifies a login: the `user:password` that its entry encodes."""
    return f"{username}:{password.reveal()}"


def entry_of(credential: Credential) -> dict[str, str]:
    """Return the entry that every client takes for a credential."""
    if credential.username == IDENTITY_TOKEN:
        auth = base64.b64encode(_NOBODY).decode("ascii")
        return {"auth": auth, "identitytoken": credential.password.reveal()}
    login = login_text(credential.username, credential.password)
    return {"auth": base64.b64encode(login.encode()).decode("ascii")}


def is_decodable(entry: Any) -> bool:
    """Tell whether clients can read this entry: the rule of docker/cli's decodeAuth.

    As Go's JSON does, null counts as absent, and the case of a field's name does not count.
    """
    if entry is None:
        return True
    if not docker_fields.ENTRY.fits(entry):
        return False
    auths = (value for name, value in entry.items() if folded(name) == "auth" and value)
    return all(decode_auth(value) is not None for value in auths)


def login_of(entry: Any) -> tuple[str, Secret] | None:
    """Return username and password of an entry; None where it holds none, or can't be decoded."""
    if not entry or not is_decodable(entry):
        return None
    fields = {folded(name): value for name, value in entry.items() if value is not None}
    token = fields.get("identitytoken")
    if token and is_text(token):
        return IDENTITY_TOKEN, Secret(token)
    if fields.get("auth"):
        raw = decode_auth(fields["auth"]) or b""
        try:
            username, _, password = raw.decode("utf-8").partition(":")
        except UnicodeDecodeError:
            return None
    else:
        username, password = fields.get("username", ""), fields.get("password", "")
    if not (username and password) or not (is_text(username) and is_text(password)):
        return None
    return username, Secret(password)


def decode_auth(auth: str) -> bytes | None:
    """Return `user:password`, or None where Go's base64.StdEncoding or docker would refuse it."""
    try:
        raw = base64.b64decode(auth.replace("\r", "").replace("\n", ""), validate=True)
    except (binascii.Error, ValueError):
        return None
    username, colon, _ = raw.partition(b":")
    return raw if username and colon else None


def is_text(value: str) -> bool:
    """Tell whether a text can be encoded: JSON can hold a lone surrogate, which can't."""
    return _LONE_SURROGATE.search(value) is None
