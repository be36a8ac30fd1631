"""One entry of `auths`: its key, and the login in it."""

from __future__ import annotations

from typing import Any

import pytest

from rotator.core.docker_config import DockerConfig
from rotator.core.docker_entry import DOCKER_HUB, registry_key, shown
from rotator.core.model import Secret
from tests.unit.core.docker_entries import HOST, LOGINS, UNUSABLE


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


@pytest.mark.parametrize(("entry", "login"), LOGINS)
def test_logins(entry: Any, login: tuple[str, str] | None) -> None:
    """Username and password come out of an entry that clients understand; others have none."""
    found = DockerConfig({f"https://{HOST}/": entry}).logins()
    assert found == ({} if login is None else {HOST: (login[0], Secret(login[1]))})


@pytest.mark.parametrize("entry", UNUSABLE)
def test_no_logins(entry: Any) -> None:
    """An entry that no client can decode has no login."""
    assert DockerConfig({HOST: entry}).logins() == {}
