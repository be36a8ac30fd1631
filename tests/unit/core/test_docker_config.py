"""The docker config: decoded as real clients read it, and encoded."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rotator.core.docker_config import DockerConfig, decode, encode
from rotator.core.docker_entry import DOCKER_HUB
from rotator.core.errors import PermanentError, Reason
from rotator.core.model import Secret
from tests.support import MARKED
from tests.unit.core.docker_entries import GOOD, HOST, base64_of


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param(" \n\t", id="blank"),
        pytest.param("{", id="truncated"),
        pytest.param('{"auths": {"h": {"auth": "s3cr3t-', id="truncated in a secret"),
        pytest.param("\ufeff{}", id="byte order mark"),
        pytest.param('{"auths": {},}', id="trailing comma"),
        pytest.param('{} // "s3cr3t-', id="comment"),
        pytest.param("{}{}", id="second document"),
        pytest.param("{}\0\0", id="trailing NULs"),
        pytest.param("[]", id="list"),
        pytest.param('"s3cr3t-text"', id="text"),
        pytest.param("null", id="null"),
        pytest.param('{"auths": []}', id="auths is a list"),
        pytest.param('{"auths": "s3cr3t-x"}', id="auths is text"),
        pytest.param('{"x": NaN}', id="no number"),
        pytest.param('{"x": -Infinity}', id="no number either"),
        pytest.param('{"x": 01}', id="octal number"),
        pytest.param('{"x": ' + "[" * 100_000, id="nested too deeply"),
        pytest.param(f'{{"x": {"[" * 600}{"]" * 600}}}', id="nested deeply"),
        pytest.param(f'{{"x": {"[" * 410}{"]" * 410}}}', id="nested just too deeply"),
        pytest.param("\ud800", id="half a character"),
    ],
)
def test_malformed(text: str) -> None:
    """What clients can't read, or take for no login at all, is malformed, and not repeated."""
    with pytest.raises(PermanentError) as caught:
        decode(text)
    assert caught.value.reason is Reason.MALFORMED
    assert MARKED not in caught.value.detail + caught.value.hint


@pytest.mark.parametrize(
    "number",
    ["1e999", "-1e999", "9" * 5000, "-0", "-0.0", "1.0", "1E5", "1e-999", "0.12345678901234567890"],
)
def test_numbers(number: str) -> None:
    """Clients read over any number in a field that they don't know, and it stays as written."""
    entry = '{"auth":"YTpi","x":[{"y":%s}]}' % number  # noqa: UP031  braces
    text = f'{{"auths":{{"h":{entry}}},"other":{{"a":[{number},null,true,"b"],"b":{number}}}}}'
    config = decode(text)
    assert encode(config) == text
    assert not config.breaks_clients
    assert "h" in config.logins()
    for known in ('"psFormat":%s', '"features":{"a":%s}', '"auths":{"h":{"auth":%s}}'):
        assert decode(f"{{{known % number}}}").breaks_clients


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{}", id="empty object"),
        pytest.param('{"auths": {}}', id="no entries"),
        pytest.param('{"auths": null}', id="auths is null"),
        pytest.param(' \n{"auths": {}}\n  \n', id="white space around"),
    ],
)
def test_empty(text: str) -> None:
    """Documents without entries are fine."""
    assert decode(text) == DockerConfig()


def test_keeps_unknown_keys() -> None:
    """Everything beside `auths` is kept as it is."""
    rest = {"HttpHeaders": {"User-Agent": "x"}, "credHelpers": {"a": "b"}, "unknown": [1, None]}
    assert decode(json.dumps({**rest, "auths": {HOST: GOOD}})) == DockerConfig({HOST: GOOD}, rest)


def test_a_key_that_is_no_text() -> None:
    """JSON can hold half a surrogate pair; no registry is called so, and no journal can hold it."""
    assert DockerConfig({"\ud800": GOOD}).logins() == {}


def test_two_keys_for_one_registry() -> None:
    """Where two keys mean one registry, the one that all clients find counts."""
    other = {"auth": base64_of("a:other")}
    for auths in ({HOST: GOOD, f"https://{HOST}": other}, {f"https://{HOST}": other, HOST: GOOD}):
        assert DockerConfig(auths).logins() == {HOST: ("someone", Secret("s3cr3t-of-theirs"))}


@pytest.mark.parametrize(
    ("keys", "warned"),
    [
        ([HOST, f"{HOST}/team"], [f"{HOST}/team and {HOST}"]),
        ([HOST, f"https://{HOST}/team/"], [f"{HOST}/team and {HOST}"]),
        ([f"{HOST}/team", f"{HOST}/other"], []),
        ([HOST, "other.example.com/team"], []),
        ([DOCKER_HUB, "docker.io"], []),
        ([], []),
    ],
)
def test_warnings(keys: list[str], warned: list[str]) -> None:
    """A host and a path on it in one document is a warning: docker ignores the path."""
    warnings = DockerConfig(dict.fromkeys(keys, GOOD)).warnings()
    assert [what.partition(" are both")[0] for what, _ in warnings] == warned


def test_warns_of_two_logins_for_one_registry() -> None:
    """Clients pick one of them at random; two that are the same do no harm."""
    other = {"auth": base64_of("a:other")}
    warned = DockerConfig({f"http://{HOST}": GOOD, f"https://{HOST}": other}).warnings()
    assert [what.partition(" are")[0] for what, _ in warned] == [
        f"http://{HOST} and https://{HOST}"
    ]
    assert DockerConfig({f"http://{HOST}": GOOD, f"https://{HOST}": GOOD}).warnings() == []


@pytest.mark.parametrize(
    ("key", "value", "nothing"),
    [
        ("credsStore", "desktop", ""),
        ("credHelpers", {"other.example.com": "ecr-login"}, {}),
        ("currentContext", "desktop", ""),
    ],
)
def test_warns_of_what_works_only_where_it_was_made(key: str, value: Any, nothing: Any) -> None:
    """A helper or a context that a job's image lacks breaks the clients in it."""
    [(what, todo)] = DockerConfig({}, {key: value}).warnings()
    assert what.startswith(key)
    assert todo.startswith("take")
    assert DockerConfig({}, {key: nothing}).warnings() == []


def test_encode() -> None:
    """The document is one compact line with sorted keys."""
    config = DockerConfig(
        {"b": {"x": 1, "auth": "y"}, "a": {}}, {"credsStore": "s", "HttpHeaders": {}}
    )
    assert encode(config) == (
        '{"HttpHeaders":{},"auths":{"a":{},"b":{"auth":"y","x":1}},"credsStore":"s"}'
    )


@pytest.mark.parametrize("second", ["auths", "AUTHS", "auth\u017f"])
def test_two_members_auths_are_one(second: str) -> None:
    """Go takes their union, whatever the case of their names."""
    text = f'{{"auths": {{"a": {{}}, "b": 1}}, "{second}": {{"b": {{}}, "c": {{}}}}}}'
    assert decode(text).auths == {"a": {}, "b": {}, "c": {}}
    assert decode(f'{{"auths": {{"a": {{}}}}, "{second}": null}}').auths == {}


def test_two_spellings_with_one_login_are_no_rivals() -> None:
    """Clients may take either."""
    entry = {"auth": "YTpzM2NyM3QtYg=="}
    other = {"auth": "YTpzM2NyM3QtYw=="}
    assert not DockerConfig({HOST: entry, f"https://{HOST}": entry}).has_rivals(HOST)
    assert DockerConfig({HOST: entry, f"https://{HOST}": other}).has_rivals(HOST)
