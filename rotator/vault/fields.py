"""Makes credentials of a secret's fields."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rotator.core.docker_config import decode
from rotator.core.errors import PermanentError, Reason
from rotator.core.mark import from_annotations
from rotator.core.model import Credential, Lease, Secret
from rotator.http.reading import base64_in
from rotator.http.server_text import shown

if TYPE_CHECKING:
    from rotator.config.sources import VaultSourceSettings

_MOST_NAMES = 20
_KINDS = {dict: "an object", list: "a list", bool: "true or false"}
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")

# Seconds since 1970: September 2001, when they got ten digits, and the year 5138.
_EARLIEST, _LATEST = 1e9, 1e11


def credentials_in(
    data: Mapping[str, Any],
    settings: VaultSourceSettings,
    place: str,
    issued_at: datetime,
    expires_at: datetime | None,
    lease: Lease | None = None,
) -> list[Credential]:
    """Return the credentials that a secret's fields hold; `place` names the secret in messages."""
    ends: Mapping[str, datetime | None] = {}
    if settings.docker_config_field:
        logins = _logins(data, settings.docker_config_field, place)
        mark = from_annotations(data)  # where a rotator published it
        ends = mark.expires if mark and expires_at is None else {}
    else:
        username = settings.username or _text(
            data, settings.username_field, place, "username_field"
        )
        if ":" in username:
            raise PermanentError(
                Reason.INVALID,
                f"the username in {place} has a colon in it, which no client can send",
                "set `username_field` to the field that holds the username",
            )
        text = _text(data, settings.password_field, place, "password_field")
        if (base64_in(text) or b"").startswith(f"{username}:".encode()):
            raise PermanentError(
                Reason.INVALID,
                f"the field `{settings.password_field}` of {place} is base64 of user and password, "
                "as `auth` in a docker config is",
                "write the password itself into it",
            )
        logins = {settings.registry or "": (username, Secret(text))}
    return [
        Credential(registry, username, password, issued_at, ends.get(registry, expires_at), lease)
        for registry, (username, password) in sorted(logins.items())
    ]


def end_in(data: Mapping[str, Any], settings: VaultSourceSettings, place: str) -> datetime | None:
    """Return the end that `expires_at_field` holds: RFC 3339, or a number since 1970.

    None where no such field is configured, and where it says that there is no end: null, empty, 0,
    a negative number (Harbor's way) or the year 1 (Go's zero time). The number counts seconds; one
    that is too large for that counts milliseconds, microseconds or nanoseconds.

    Raises `PermanentError` as `credentials_in` does.
    """
    name = settings.expires_at_field
    if name is None:
        return None
    if name not in data:
        raise _not_there(data, name, place, "expires_at_field")
    try:
        return _end(data[name])
    except (ValueError, TypeError, OverflowError, OSError) as error:
        what = "is no point in time"
        if isinstance(error, _TooSmallError):
            what = "is a number too small to be a time since 1970, and looks like a duration"
        raise PermanentError(
            Reason.MALFORMED,
            f"the field `{name}` of {place} {what}",
            "write the point in time: 2030-01-31T12:00:00Z, or the seconds since 1970",
        ) from None


class _TooSmallError(ValueError):
    """A number that counts something else than the time since 1970."""


def _end(value: Any) -> datetime | None:
    text = value.strip() if isinstance(value, str) else value
    if text is None or text == "":
        return None
    if isinstance(text, bool):
        raise TypeError
    if isinstance(text, str) and not _NUMBER.fullmatch(text):
        end = datetime.fromisoformat(text)
        if end.tzinfo is None and end.year != 1:
            raise ValueError
        return None if end.year == 1 else end.astimezone(UTC)
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    if number <= 0:
        return None
    if number < _EARLIEST:
        raise _TooSmallError
    while number > _LATEST:
        number /= 1000
    return datetime.fromtimestamp(number, UTC)


def _logins(data: Mapping[str, Any], name: str, place: str) -> dict[str, tuple[str, Secret]]:
    value = _value(data, name, place, "docker_config_field")
    # `vault kv put secret/x @config.json` stores the document's own structure.
    text = json.dumps(value) if isinstance(value, Mapping) else _checked(value, name, place)
    try:
        logins = decode(text).logins()
    except PermanentError as error:
        why = f": {error.detail}"
        hint = "write a whole docker config into it: the JSON document with `auths`"
        if (base64_in(text) or b"").lstrip().startswith(b"{"):
            why = " is base64 of JSON, as a Kubernetes Secret has it"
            hint = "write the document itself into it: base64 -d makes it"
        raise PermanentError(error.reason, f"the field `{name}` of {place}{why}", hint) from None
    if not logins:
        raise PermanentError(
            Reason.MALFORMED,
            f"the docker config in the field `{name}` of {place} holds no login",
            "write at least one entry with `auth` under its `auths`",
        )
    return logins


def _text(data: Mapping[str, Any], name: str, place: str, key: str) -> str:
    return _checked(_value(data, name, place, key), name, place)


def _checked(value: Any, name: str, place: str) -> str:
    if not isinstance(value, str):
        raise PermanentError(
            Reason.MALFORMED,
            f"the field `{name}` of {place} is {_KINDS.get(type(value), 'a number')}, not text",
            "write it as a text: in JSON, between quotation marks",
        )
    return value


def _value(data: Mapping[str, Any], name: str, place: str, key: str) -> Any:
    if name not in data:
        raise _not_there(data, name, place, key)
    value = data[name]
    if value is None or value == "":
        raise PermanentError(
            Reason.FIELD_MISSING, f"the field `{name}` of {place} is empty", "write a value into it"
        )
    return value


def _not_there(data: Mapping[str, Any], name: str, place: str, key: str) -> PermanentError:
    names = ", ".join(f"`{shown(each, ())}`" for each in sorted(data)[:_MOST_NAMES])
    return PermanentError(
        Reason.FIELD_MISSING,
        f"the field `{name}` is not in {place}; there are: {names or 'none'}",
        f"set `{key}` to the field that holds it, or write that field",
    )
