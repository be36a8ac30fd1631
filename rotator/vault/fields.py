"""Makes credentials of a secret's fields."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rotator.core.docker_config import decode
from rotator.core.errors import PermanentError, Reason
from rotator.core.mark import from_annotations
from rotator.core.model import Credential, Lease, Secret
from rotator.http.server_text import shown

if TYPE_CHECKING:
    from rotator.config.sources import VaultSourceSettings

_MOST_NAMES = 20


def credentials_in(
    data: Mapping[str, Any],
    settings: VaultSourceSettings,
    place: str,
    issued_at: datetime,
    expires_at: datetime | None,
    lease: Lease | None = None,
) -> list[Credential]:
    """Return the credentials that a secret's fields hold: one, or those of a docker config.

    `place` names the secret in messages. Raises `PermanentError`: field_missing where a field is
    not there or empty, malformed where it is not what it should be.
    """
    if settings.docker_config_field:
        logins = _logins(data, settings.docker_config_field, place)
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
        password = Secret(_text(data, settings.password_field, place, "password_field"))
        logins = {settings.registry or "": (username, password)}
    ends = _marked_ends(data) if settings.docker_config_field and expires_at is None else {}
    return [
        Credential(registry, username, password, issued_at, ends.get(registry, expires_at), lease)
        for registry, (username, password) in sorted(logins.items())
    ]


def end_in(data: Mapping[str, Any], settings: VaultSourceSettings, place: str) -> datetime | None:
    """Return the end that `expires_at_field` holds: RFC 3339, or seconds since 1970.

    None where no such field is configured. Raises `PermanentError` as `credentials_in` does.
    """
    name = settings.expires_at_field
    if name is None:
        return None
    value = _value(data, name, place, "expires_at_field")
    try:
        end = _moment(value)
    except (ValueError, TypeError, OverflowError, OSError):
        end = None
    if end is None:
        raise PermanentError(
            Reason.MALFORMED,
            f"the field `{name}` of {place} is no point in time",
            "write it as 2030-01-31T12:00:00Z, or as seconds since 1970",
        )
    return end


def _marked_ends(data: Mapping[str, Any]) -> Mapping[str, datetime | None]:
    """Return the end of each registry's login where a rotator published the docker config."""
    mark = from_annotations(data)
    return mark.expires if mark else {}


def _moment(value: Any) -> datetime | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and not value.strip().isdecimal():
        moment = datetime.fromisoformat(value.strip())
        return moment.astimezone(UTC) if moment.tzinfo else None
    return datetime.fromtimestamp(float(value), UTC)


def _logins(data: Mapping[str, Any], name: str, place: str) -> dict[str, tuple[str, Secret]]:
    value = _value(data, name, place, "docker_config_field")
    # `vault kv put secret/x @config.json` stores the document's own structure.
    text = json.dumps(value) if isinstance(value, Mapping) else _checked(value, name, place)
    try:
        logins = decode(text).logins()
    except PermanentError as error:
        raise PermanentError(
            error.reason,
            f"the field `{name}` of {place}: {error.detail}",
            "write a whole docker config into it: the JSON document with `auths`",
        ) from None
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
        kind = {dict: "an object", list: "a list", bool: "true or false"}.get(
            type(value), "a number"
        )
        raise PermanentError(
            Reason.MALFORMED,
            f"the field `{name}` of {place} is {kind}, not text",
            "write it as a text: in JSON, between quotation marks",
        )
    return value


def _value(data: Mapping[str, Any], name: str, place: str, key: str) -> Any:
    value = data.get(name)
    if value is not None and value != "":
        return value
    names = ", ".join(f"`{shown(each, ())}`" for each in sorted(data)[:_MOST_NAMES])
    if name in data:
        detail, hint = f"the field `{name}` of {place} is empty", "write a value into it"
    else:
        detail = f"the field `{name}` is not in {place}; there are: {names or 'none'}"
        hint = f"set `{key}` to the field that holds it, or write that field"
    raise PermanentError(Reason.FIELD_MISSING, detail, hint)
