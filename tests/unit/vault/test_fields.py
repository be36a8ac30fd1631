"""From a secret's fields to credentials."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import pytest

from rotator.config.sources import VaultSourceSettings
from rotator.core.errors import PermanentError, Reason
from rotator.vault.fields import credentials_in, end_in
from tests.support import NOW, made

GOOD = {"username": "robot", "password": "s3cr3t-harbor"}
PLACE = "secret/harbor at https://vault"


def settings(**fields: Any) -> VaultSourceSettings:
    """Return a source's settings."""
    given = {
        "name": "vault",
        "address": "https://vault.example.com",
        "auth": {"method": "token", "token_env": "VAULT_TOKEN"},
        "path": "secret/harbor",
        **({} if "docker_config_field" in fields else {"registry": "registry.example.com"}),
        **fields,
    }
    return made(VaultSourceSettings, **given)


def test_user_name_from_the_configuration() -> None:
    """A literal user name needs no field."""
    given = settings(username="oauth2accesstoken", password_field="token")
    (credential,) = credentials_in({"token": "s3cr3t-gcp"}, given, PLACE, NOW, None)
    assert credential.username == "oauth2accesstoken"


@pytest.mark.parametrize(
    ("data", "reason", "words"),
    [
        pytest.param({}, Reason.FIELD_MISSING, "there are: none", id="nothing"),
        pytest.param(
            {"user": "u", "pass": "s3cr3t-x"}, Reason.FIELD_MISSING, "`pass`, `user`", id="others"
        ),
        pytest.param({**GOOD, "password": ""}, Reason.FIELD_MISSING, "empty", id="empty"),
        pytest.param({**GOOD, "password": None}, Reason.FIELD_MISSING, "empty", id="null"),
        pytest.param({**GOOD, "password": 123456}, Reason.MALFORMED, "a number", id="number"),
        pytest.param({**GOOD, "password": ["s3cr3t"]}, Reason.MALFORMED, "a list", id="list"),
        pytest.param({**GOOD, "password": {"a": 1}}, Reason.MALFORMED, "an object", id="object"),
        pytest.param({**GOOD, "password": True}, Reason.MALFORMED, "true or false", id="flag"),
        pytest.param({**GOOD, "username": "a:b"}, Reason.INVALID, "has a colon", id="colon"),
    ],
)
def test_fields_that_do_not_fit(data: dict[str, Any], reason: Reason, words: str) -> None:
    """A field that is missing, empty or no text is named; its value and its neighbours' are not."""
    with pytest.raises(PermanentError) as caught:
        credentials_in(data, settings(), PLACE, NOW, None)
    assert caught.value.reason is reason
    assert words in caught.value.detail
    assert "s3cr3t" not in f"{caught.value.detail}{caught.value.hint}"
    assert "123456" not in f"{caught.value.detail}{caught.value.hint}"


@pytest.mark.parametrize(
    "value",
    [
        "2030-01-31T12:00:00Z",
        "2030-01-31T13:00:00+01:00",
        "2030-01-31T12:00:00.000000000Z",
        1896091200,
        1896091200.0,
        "1896091200",
        1896091200000,
        "1896091200000",
        1896091200000000,
        1896091200000000000,
    ],
)
def test_end(value: object) -> None:
    """An end is RFC 3339, or a number since 1970: seconds, or finer, told by its size."""
    end = end_in({"until": value}, settings(expires_at_field="until"), PLACE)
    assert end == datetime(2030, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [None, "", " ", 0, "0", -1, "-1", 0.0, "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00"],
)
def test_no_end(value: object) -> None:
    """Harbor's and Go's ways to say that there is no end."""
    assert end_in({"until": value}, settings(expires_at_field="until"), PLACE) is None


@pytest.mark.parametrize("value", [3600, "90", 86400.5, 999999999])
def test_a_duration_is_no_end(value: object) -> None:
    """A number too small to be a time is said to be that, and not shown."""
    with pytest.raises(PermanentError) as caught:
        end_in({"until": value}, settings(expires_at_field="until"), PLACE)
    assert caught.value.reason is Reason.MALFORMED
    assert "too small" in caught.value.detail
    assert "seconds since 1970" in caught.value.hint


def test_end_field_that_is_not_there() -> None:
    """A field that nobody wrote is a mistake, not a credential without end."""
    with pytest.raises(PermanentError) as caught:
        end_in({"til": 5}, settings(expires_at_field="until"), PLACE)
    assert caught.value.reason is Reason.FIELD_MISSING


def test_password_that_is_a_whole_login() -> None:
    """What a docker config calls `auth` is said to be that."""
    auth = base64.b64encode(b"robot:s3cr3t-harbor").decode()
    with pytest.raises(PermanentError) as caught:
        credentials_in({"username": "robot", "password": auth}, settings(), PLACE, NOW, None)
    assert "base64 of user and password" in caught.value.detail
    assert auth not in f"{caught.value.detail}{caught.value.hint}"


def test_docker_config_in_base64() -> None:
    """A document as a Kubernetes Secret has it is said to be that."""
    data = {"c": base64.b64encode(b'{"auths": {}}').decode()}
    with pytest.raises(PermanentError) as caught:
        credentials_in(data, settings(docker_config_field="c"), PLACE, NOW, None)
    assert "base64 of JSON" in caught.value.detail


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param("tomorrow", Reason.MALFORMED, id="words"),
        pytest.param("2030-01-31T12:00:00", Reason.MALFORMED, id="no time zone"),
        pytest.param(float("nan"), Reason.MALFORMED, id="nan"),
        pytest.param(True, Reason.MALFORMED, id="flag"),
        pytest.param([], Reason.MALFORMED, id="list"),
        pytest.param(float("inf"), Reason.MALFORMED, id="infinite"),
    ],
)
def test_end_that_is_none(value: object, reason: Reason) -> None:
    """What is no point in time is refused, with both forms in the hint where it is malformed."""
    with pytest.raises(PermanentError) as caught:
        end_in({"until": value}, settings(expires_at_field="until"), PLACE)
    assert caught.value.reason is reason
    assert "`until`" in caught.value.detail


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("{", id="no JSON"),
        pytest.param('{"auths": []}', id="no auths"),
        pytest.param('{"auths": {}}', id="no login"),
        pytest.param({"auths": {"a.example.com": {}}}, id="an entry without login"),
        pytest.param(5, id="a number"),
    ],
)
def test_docker_config_that_is_none(value: object) -> None:
    """A docker config without a login in it is malformed, and the field is named."""
    with pytest.raises(PermanentError) as caught:
        credentials_in(
            {"config.json": value}, settings(docker_config_field="config.json"), PLACE, NOW, None
        )
    assert caught.value.reason is Reason.MALFORMED
    assert "`config.json`" in caught.value.detail
