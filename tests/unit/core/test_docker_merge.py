"""Our credentials in somebody's docker config: what is replaced, and what stays."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rotator.core.docker_config import DockerConfig, decode
from rotator.core.docker_entry import DOCKER_HUB, login_text
from rotator.core.docker_merge import merge
from rotator.core.model import Credential, Secret
from tests.support import MARKED, NOW
from tests.unit.core.docker_entries import GOOD, HOST, LOGINS, UNUSABLE, base64_of


def ours(
    registry: str = HOST,
    username: str = "ci",
    password: str = "s3cr3t-of-ours",  # noqa: S107  a test's
) -> Credential:
    """Return a credential of ours."""
    return Credential(registry, username, Secret(password), NOW)


def test_entry() -> None:
    """Our entry is padded standard base64 of user and password, and nothing else."""
    merged = merge(DockerConfig(), [ours(username="AWS", password="s3cr3t-?>ü")])
    assert merged.config.auths == {HOST: {"auth": base64_of("AWS:s3cr3t-?>ü")}}
    assert login_text("AWS", Secret("s3cr3t-?>ü")) == "AWS:s3cr3t-?>ü"


@pytest.mark.parametrize(
    ("key", "registry"),
    [
        (HOST, HOST),
        (f"https://{HOST}", HOST),
        (f"http://{HOST}/v2/", HOST),
        ("docker.io", DOCKER_HUB),
        ("index.docker.io", DOCKER_HUB),
        (DOCKER_HUB, DOCKER_HUB),
    ],
)
def test_replaces_every_name(key: str, registry: str) -> None:
    """Two keys for one registry pick one at random, so ours is the only one that stays."""
    merged = merge(DockerConfig({key: GOOD, "other": GOOD}), [ours(registry)])
    assert merged.config.auths.keys() == {registry, "other"}
    assert merged.config.auths[registry] != GOOD
    assert merged.left_out == ()


def test_an_identity_token_is_published_as_one() -> None:
    """With the user name that stands for nobody, as Docker wants one in `auth`."""
    entry = merge(DockerConfig(), [ours(username="<token>", password="s3cr3t-i")]).config.auths[
        HOST
    ]
    assert entry == {
        "auth": base64_of("00000000-0000-0000-0000-000000000000:"),
        "identitytoken": "s3cr3t-i",
    }
    login = DockerConfig({HOST: entry}).logins()[HOST]
    assert (login[0], login[1].reveal()) == ("<token>", "s3cr3t-i")


def test_a_host_in_capitals_is_updated_beside_the_usual_key() -> None:
    """Docker compares by letter, and images may be written so."""
    merged = merge(DockerConfig({HOST.upper(): GOOD, f"https://{HOST.upper()}": GOOD}), [ours()])
    assert merged.config.auths == dict.fromkeys([HOST, HOST.upper()], merged.config.auths[HOST])
    assert merged.config.auths[HOST] != GOOD


def test_a_credential_helper_of_ours_is_taken_out() -> None:
    """Clients ask it instead of the entry; those of other hosts stay."""
    helpers = {HOST: "ecr-login", f"https://{HOST}": "ecr-login", "other": "gcr"}
    merged = merge(DockerConfig({}, {"credHelpers": helpers, "x": 1}), [ours()])
    assert merged.config.rest == {"credHelpers": {"other": "gcr"}, "x": 1}
    assert merged.helpers == (f"https://{HOST}", HOST)
    only = merge(DockerConfig({}, {"CREDHELPERS": {HOST: "ecr-login"}}), [ours()])
    assert only.config.rest == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("psFormat", 1),
        ("PSFORMAT", []),
        ("HttpHeaders", {"X": 1}),
        ("proxies", {"default": "x"}),
        ("proxies", {"default": {"httpProxy": 1}}),
        ("plugins", {"x": {"y": False}}),
        ("pruneFilters", ["a", 1]),
        ("credsStore", {}),
        ("credHelpers", "ecr-login"),
        ("feature\u017f", {"a": True}),
    ],
)
def test_a_known_field_of_another_type_is_left_out(name: str, value: Any) -> None:
    """Docker reads no login at all from a document that has one."""
    config = decode(json.dumps({"auths": {"other": GOOD}, name: value, "unknown": 7}))
    assert config.mistyped() == (name,)
    merged = merge(config, [ours()])
    assert (merged.left_out, merged.config.rest) == ((name,), {"unknown": 7})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("psFormat", None),
        ("HttpHeaders", {"X": None}),
        ("proxies", {"default": {"httpProxy": "x", "noProxy": None}}),
        ("pruneFilters", ["a"]),
        ("whatever", 1),
    ],
)
def test_fields_of_the_right_type_stay(name: str, value: Any) -> None:
    """Null counts as absent, and what Docker does not know it ignores."""
    config = decode(json.dumps({name: value}))
    assert config.mistyped() == ()
    assert merge(config, [ours()]).config.rest == {name: value}


def test_keeps_neighbours() -> None:
    """Another port, a path and another host are registries of their own."""
    neighbours = dict.fromkeys(
        [f"{HOST}:443", f"{HOST}/team", "other", "registry-1.docker.io"], GOOD
    )
    merged = merge(DockerConfig(neighbours, {"credsStore": "x"}), [ours()])
    assert merged.config.auths.items() >= neighbours.items()
    assert merged.config.rest == {"credsStore": "x"}


@pytest.mark.parametrize("entry", [param.values[0] for param in LOGINS])
def test_keeps_what_some_client_takes(entry: Any) -> None:
    """Other people's entries stay as they are, byte for byte, if any client can read them."""
    merged = merge(DockerConfig({"other": entry}), [ours()])
    assert merged.config.auths["other"] == entry
    assert merged.left_out == ()


@pytest.mark.parametrize("entry", UNUSABLE)
def test_leaves_out_what_breaks_others(entry: Any) -> None:
    """An entry that no client can decode makes docker lose good hosts: it is left out, and said."""
    merged = merge(DockerConfig({"https://Broken/": entry, "other": GOOD}), [ours()])
    assert merged.config.auths.keys() == {HOST, "other"}
    assert merged.left_out == ("https://Broken/",)


def test_replaces_a_broken_one_of_ours() -> None:
    """A broken entry under our own registry is replaced, not left out."""
    merged = merge(DockerConfig({HOST: {"auth": "?"}}), [ours()])
    assert merged == merge(DockerConfig(), [ours()])


def test_remove() -> None:
    """Registries to remove go, whoever wrote them and whatever their name, and are not said."""
    found = DockerConfig({HOST: GOOD, f"https://{HOST}": {"auth": "?"}, "other": GOOD})
    merged = merge(found, [], frozenset({HOST}))
    assert merged.config.auths == {"other": GOOD}
    assert merged.left_out == ()


def test_shows_no_secret() -> None:
    """A document that is printed by mistake shows no entry."""
    printed = repr(merge(DockerConfig({HOST: GOOD}, {"x": "s3cr3t-x"}), [ours("other")]))
    assert GOOD["auth"] not in printed
    assert MARKED not in printed


def test_another_spelling_makes_way_beside_an_entry_that_stays() -> None:
    """Clients would take either of the two."""
    entry = {"auth": "YTpzM2NyM3QtYg=="}
    config = DockerConfig({HOST: entry, f"https://{HOST}": entry})
    assert merge(config, [], theirs=frozenset({HOST})).config.auths == {HOST: entry}
