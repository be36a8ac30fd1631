"""What holds of every docker config: it is read as Docker reads it, and loses nothing."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.core.docker_config import DockerConfig, decode, encode
from rotator.core.docker_entry import registry_key
from rotator.core.docker_fields import folded
from rotator.core.docker_merge import merge
from rotator.core.errors import PermanentError
from tests.unit.core.strategies import (
    CONFIGS,
    JSON,
    OURS,
    REMOVE,
    TEXT,
    WORKING,
    WRITTEN,
    new_examples,
)

if TYPE_CHECKING:
    from rotator.core.model import Credential

KNOWN = ("email", "username", "password", "serveraddress", "identitytoken", "registrytoken")


def works(entry: Any) -> bool:
    """Tell whether every client takes this entry; written down apart from the code under test."""
    if not isinstance(entry, dict) or not isinstance(entry.get("auth"), str):
        return False
    fields = [value for key, value in entry.items() if key.lower() in KNOWN]
    if not all(value is None or isinstance(value, str) for value in fields):
        return False
    try:
        username, colon, _ = base64.b64decode(entry["auth"], validate=True).partition(b":")
    except ValueError:
        return False
    return bool(username and colon)


@new_examples(40)
@given(CONFIGS)
def test_decode_undoes_encode(config: DockerConfig) -> None:
    """What was written is read back the same."""
    assert decode(encode(config)) == config


@new_examples(40)
@given(CONFIGS)
def test_encode_is_stable(config: DockerConfig) -> None:
    """One line of ASCII, the same bytes for the same document however its keys were ordered."""
    text = encode(config)
    assert text.isascii()
    assert "\n" not in text
    turned = DockerConfig(
        dict(reversed(list(config.auths.items()))), dict(reversed(list(config.rest.items())))
    )
    assert encode(turned) == text == encode(decode(text))


@new_examples(40)
@given(CONFIGS, OURS, REMOVE)
def test_merge_loses_nothing(
    config: DockerConfig, credentials: list[Credential], remove: frozenset[str]
) -> None:
    """Every working entry that is neither ours nor to be removed stays, and all other keys."""
    merged = merge(config, credentials, remove)
    replaced = {credential.registry for credential in credentials} | remove
    for key, entry in config.auths.items():
        if works(entry) and registry_key(key) not in replaced:
            assert merged.config.auths[key] == entry
        elif registry_key(key) not in replaced:
            assert (key in merged.left_out) == (key not in merged.config.auths)
    assert merged.config.rest == config.rest


@new_examples(40)
@given(CONFIGS, OURS, REMOVE)
def test_merge_publishes_ours(
    config: DockerConfig, credentials: list[Credential], remove: frozenset[str]
) -> None:
    """Every credential of ours can be read back, and is its registry's only entry."""
    auths = merge(config, credentials, remove).config.auths
    for credential in credentials:
        keys = [key for key in auths if registry_key(key) == credential.registry]
        assert keys == [credential.registry]
        login = {credential.registry: (credential.username, credential.password)}
        assert DockerConfig({keys[0]: auths[keys[0]]}).logins() == login


@new_examples(40)
@given(CONFIGS, OURS, REMOVE)
def test_merge_twice(
    config: DockerConfig, credentials: list[Credential], remove: frozenset[str]
) -> None:
    """Merging once more changes nothing, also after a round through the target."""
    once = merge(config, credentials, remove).config
    again = merge(decode(encode(once)), credentials, remove)
    assert again.config == once
    assert again.left_out == ()
    assert encode(again.config) == encode(once)


@new_examples(40)
@given(st.text() | JSON.map(json.dumps) | CONFIGS.map(encode), OURS)
def test_no_input_crashes(text: str, credentials: list[Credential]) -> None:
    """Any text is either malformed or can be merged and written."""
    config = DockerConfig()
    with suppress(PermanentError):
        config = decode(text)
    config.logins()
    config.warnings()
    decode(encode(merge(config, credentials).config))


@new_examples(40)
@given(WRITTEN)
def test_registry_key_is_stable(name: str) -> None:
    """A canonical name stays as it is."""
    assert registry_key(registry_key(name)) == registry_key(name)


# As Docker reads it: Go's rules for a JSON object that is decoded into a struct.

MAPS = {"auths", "httpheaders", "credhelpers"}
GOOD = {"auth": base64.b64encode(b"a:s3cr3t-b").decode()}
TYPED = {
    "auths": st.none() | st.dictionaries(WRITTEN, WORKING, max_size=2),
    "httpHeaders": st.none() | st.dictionaries(TEXT, TEXT, max_size=2),
    "credHelpers": st.none() | st.dictionaries(WRITTEN, TEXT, max_size=2),
    "credsStore": st.none() | TEXT,
}


class Members(list[tuple[str, Any]]):
    """The members of an object, those included that occur twice."""


def plain(value: Any) -> Any:
    """Return a value with dictionaries for its objects."""
    if isinstance(value, Members):
        return {name: plain(member) for name, member in value}
    return value


def docker_reads(text: str) -> dict[str, Any]:
    """Return the fields that Docker knows, as it has them after reading a text.

    The case of a name does not count, of two members the last does; a map takes in both, null
    empties a map and changes nothing else.
    """
    found: dict[str, Any] = {}
    for name, value in json.loads(text, object_pairs_hook=Members):
        known = folded(name)
        if known in MAPS:
            found[known] = {} if value is None else {**found.get(known, {}), **plain(value)}
        elif known == "credsstore" and value is not None:
            found[known] = value
    return {name: value for name, value in found.items() if value}


def written_by_us(text: str) -> str:
    """Return what a merge that has nothing to publish makes of a text."""
    return encode(merge(decode(text), []).config)


@st.composite
def members(draw: st.DrawFn) -> str:
    """Make the text of a document with `auths` once or twice, in any case and order."""
    names = draw(st.permutations([*TYPED, "auths"]))
    parts = []
    for name in names[: draw(st.integers(0, len(names)))]:
        value = draw(TYPED[name])
        written = draw(st.sampled_from([name, name.upper(), name.title()]))
        parts.append(f"{json.dumps(written)}:{json.dumps(value)}")
    return "{" + draw(st.sampled_from([",", ", ", ",\n\t"])).join(parts) + "}"


@new_examples(60)
@given(members())
def test_docker_reads_the_same_before_and_after(text: str) -> None:
    """Whatever the order of the members and the case of their names."""
    assert docker_reads(written_by_us(text)) == docker_reads(text)


@new_examples(40)
@given(st.dictionaries(TEXT.filter(lambda key: folded(key) != "auths"), JSON, max_size=4))
def test_what_docker_does_not_know_stays(rest: dict[str, Any]) -> None:
    """Fields of a newer Docker, and of other programs."""
    unknown = {f"x-{key}": value for key, value in rest.items()}
    assert json.loads(written_by_us(json.dumps({**unknown, "auths": {}}))) == {
        **unknown,
        "auths": {},
    }


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            '{"credHelpers":{"a.example":"x"},"credHelpers":{"b.example":"y"}}', id="a map twice"
        ),
        pytest.param('{"credsStore":"a","CREDSSTORE":"b"}', id="a name in capitals after it"),
    ],
)
def test_docker_reads_two_members_the_same_before_and_after(text: str) -> None:
    """Of two texts the last counts, and two maps are one."""
    assert docker_reads(written_by_us(text)) == docker_reads(text)
