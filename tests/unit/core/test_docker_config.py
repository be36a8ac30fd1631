"""The docker config: read, merged and written as real clients understand it.

The tables hold what Docker CLI 28.2, skopeo 1.9 and podman 4.3 were seen to do.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from rotator.core.docker_config import DockerConfig, decode, encode, merge, salvage
from rotator.core.docker_entry import DOCKER_HUB, login_text, registry_key, shown
from rotator.core.errors import PermanentError, Reason
from rotator.core.model import Credential, Secret
from tests.support import MARKED, NOW

HOST = "registry.example.com"


def base64_of(text: str) -> str:
    """Return padded standard base64."""
    return base64.b64encode(text.encode()).decode()


def ours(
    registry: str = HOST,
    username: str = "ci",
    password: str = "s3cr3t-of-ours",  # noqa: S107  a test's
) -> Credential:
    """Return a credential of ours."""
    return Credential(registry, username, Secret(password), NOW)


GOOD = {"auth": base64_of("someone:s3cr3t-of-theirs")}


# Registries


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("registry.example.com", "registry.example.com"),
        ("https://registry.example.com", "registry.example.com"),
        ("http://registry.example.com", "registry.example.com"),
        ("registry.example.com/", "registry.example.com"),
        ("https://registry.example.com/v2/", "registry.example.com"),
        ("https://registry.example.com/v1/", "registry.example.com"),
        ("Registry.Example.COM", "registry.example.com"),
        (" registry.example.com\n", "registry.example.com"),
        ("registry.example.com:443", "registry.example.com:443"),
        ("https://registry.example.com:5000/", "registry.example.com:5000"),
        ("registry.example.com/team/", "registry.example.com/team"),
        ("127.0.0.1:5000", "127.0.0.1:5000"),
        ("[::1]:5000", "[::1]:5000"),
        ("docker.io", DOCKER_HUB),
        ("index.docker.io", DOCKER_HUB),
        ("https://index.docker.io/v1/", DOCKER_HUB),
        ("https://index.docker.io/v1", DOCKER_HUB),
        ("https://docker.io/", DOCKER_HUB),
        ("registry-1.docker.io", "registry-1.docker.io"),
    ],
)
def test_registry_key(written: str, key: str) -> None:
    """However a registry is written, it is published under the one key that all clients find."""
    assert registry_key(written) == key
    assert registry_key(key) == key


# Reading


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
        pytest.param('{"x": 1e999}', id="infinite number"),
        pytest.param(f'{{"x": {"9" * 5000}}}', id="endless number"),
        pytest.param('{"x": ' + "[" * 100_000, id="nested too deeply"),
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


LOGINS: list[Any] = [
    pytest.param(GOOD, ("someone", "s3cr3t-of-theirs"), id="auth"),
    pytest.param({"auth": base64_of("a:b:c")}, ("a", "b:c"), id="colon in the password"),
    pytest.param({"auth": base64_of("ü:ß")}, ("ü", "ß"), id="UTF-8"),
    pytest.param({"auth": base64_of("a:" + "x" * 4096)}, ("a", "x" * 4096), id="long"),
    pytest.param({"auth": "YTpi\r\nYw=="}, ("a", "bc"), id="line break, as Go skips it"),
    pytest.param({**GOOD, "email": "a@b"}, ("someone", "s3cr3t-of-theirs"), id="more fields"),
    pytest.param({"username": "a", "password": "b"}, ("a", "b"), id="plain, docker only"),
    pytest.param({**GOOD, "email": None}, ("someone", "s3cr3t-of-theirs"), id="null field"),
    pytest.param({"Auth": GOOD["auth"]}, ("someone", "s3cr3t-of-theirs"), id="other case"),
    pytest.param({}, None, id="nothing: it is in a store"),
    pytest.param(None, None, id="null"),
    pytest.param({"auth": None}, None, id="null auth"),
    pytest.param({"auth": ""}, None, id="empty auth"),
    pytest.param({"identitytoken": "s3cr3t-x"}, ("<token>", "s3cr3t-x"), id="identity token"),
    pytest.param({"registrytoken": "s3cr3t-x"}, None, id="registry token"),
    pytest.param({"auth": base64_of("a:")}, None, id="no password"),
    pytest.param({"auth": base64.b64encode(b"\xff:\xff").decode()}, None, id="not UTF-8"),
    pytest.param({"username": "a"}, None, id="username alone"),
    pytest.param({"username": "\ud800", "password": "b"}, None, id="half a character"),
]

UNUSABLE: list[Any] = [
    pytest.param({"auth": base64_of("no colon")}, id="no colon"),
    pytest.param({"auth": base64_of(":no user")}, id="no user"),
    pytest.param({"auth": "?"}, id="not base64"),
    pytest.param({"auth": "YTpiYw"}, id="no padding"),
    pytest.param({"auth": "YTpiYw="}, id="too little padding"),
    pytest.param({"auth": "YTpiYw== "}, id="trailing space"),
    pytest.param({"auth": "YTo_Pz8_"}, id="the other base64 alphabet"),
    pytest.param({"auth": "YTpüYw=="}, id="not ASCII"),
    pytest.param({"auth": 1}, id="auth is a number"),
    pytest.param({**GOOD, "identitytoken": {}}, id="token is an object"),
    pytest.param({"username": ["a"]}, id="username is a list"),
    pytest.param("text", id="entry is text"),
    pytest.param({"Auth": "?"}, id="not base64, other case"),
    pytest.param({**GOOD, "EMAIL": 1}, id="wrong type, other case"),
    pytest.param([], id="entry is a list"),
]


@pytest.mark.parametrize(("entry", "login"), LOGINS)
def test_logins(entry: Any, login: tuple[str, str] | None) -> None:
    """Username and password come out of an entry that clients understand; others have none."""
    found = DockerConfig({f"https://{HOST}/": entry}).logins()
    assert found == ({} if login is None else {HOST: (login[0], Secret(login[1]))})


@pytest.mark.parametrize("entry", UNUSABLE)
def test_no_logins(entry: Any) -> None:
    """An entry that no client can decode has no login."""
    assert DockerConfig({HOST: entry}).logins() == {}


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


@pytest.mark.parametrize(
    ("key", "printed"),
    [
        ("https://bob:s3cr3t-in-the-key@h.example.com", "h.example.com"),
        ("\x1b[2Jh.example.com\n", "?[2Jh.example.com?"),
        ("x" * 1000, "x" * 200),
        ("", "an empty name"),
    ],
)
def test_what_is_printed_of_a_key(key: str, printed: str) -> None:
    """A key can hold a login, or what does things to a terminal."""
    assert shown(key) == printed
    reported = DockerConfig({key: {}, f"{key}/a": {}}).warnings()
    assert "s3cr3t-" not in str(reported)


# Writing


def test_encode() -> None:
    """The document is one compact line with sorted keys."""
    config = DockerConfig(
        {"b": {"x": 1, "auth": "y"}, "a": {}}, {"credsStore": "s", "HttpHeaders": {}}
    )
    assert encode(config) == (
        '{"HttpHeaders":{},"auths":{"a":{},"b":{"auth":"y","x":1}},"credsStore":"s"}'
    )


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


@pytest.mark.parametrize("second", ["auths", "AUTHS", "auth\u017f"])
def test_two_members_auths_are_one(second: str) -> None:
    """Go takes their union, whatever the case of their names."""
    text = f'{{"auths": {{"a": {{}}, "b": 1}}, "{second}": {{"b": {{}}, "c": {{}}}}}}'
    assert decode(text).auths == {"a": {}, "b": {}, "c": {}}
    assert decode(f'{{"auths": {{"a": {{}}}}, "{second}": null}}').auths == {}


WHOLE = '{"auths":{"a":{"auth":"YTpi"},"b":{"auth":"YTpi"}},"x":1}'


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (WHOLE + "\0\0", {"a", "b"}),
        (WHOLE + " and more", {"a", "b"}),
        (WHOLE[:-9], {"a", "b"}),
        (WHOLE[: WHOLE.index('"b"') + 12], {"a"}),
        (WHOLE[: WHOLE.index('"b"')], {"a"}),
        (WHOLE[:12], set()),
        ('{"auths":{"a":{"x":{"y":{}},"z', set()),
        ("{", set()),
    ],
)
def test_what_is_whole_of_a_damaged_document_is_salvaged(text: str, found: set[str]) -> None:
    """Its end is missing, or something follows it."""
    salvaged = salvage(text)
    assert salvaged is not None
    assert salvaged.auths.keys() == found


@pytest.mark.parametrize(
    "text",
    [
        '{"auths": {"a": {} "b": {}}}',
        "[]",
        "[MASKED]",
        '{"auths": 7}',
        "7",
        "",
        pytest.param('{"a":' + "[" * 200_000, id="deep"),
    ],
)
def test_other_damage_is_not_guessed_at(text: str) -> None:
    """Nobody knows what its author meant."""
    assert salvage(text) is None


def test_a_bracket_that_is_missing_inside_is_no_missing_end() -> None:
    """A person forgot it: the second entry would be lost in the first one, unsaid."""
    salvaged = salvage('{"auths":{"a":{"auth":"YTpi","b":{"auth":"YTpi"}}}')
    assert salvaged is None or salvaged.auths.keys() == {"a", "b"}


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
