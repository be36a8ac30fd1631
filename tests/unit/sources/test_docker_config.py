"""Logins that stand in another docker config file."""

from __future__ import annotations

import base64
import json
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from rotator.config.sources import DockerConfigSourceSettings
from rotator.core.docker_entry import DOCKER_HUB
from rotator.core.errors import DriverError, PermanentError, Reason, TemporaryError
from rotator.core.model import Credential, Secret
from rotator.sources.docker_config import LIMIT, DockerConfigSource, build
from tests.support import NOW

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "s3cr3t-in-the-file"
HOST = "registry.example.com"


def auth(text: str = f"ci:{SECRET}") -> dict[str, str]:
    """Return an entry as `docker login` writes it."""
    return {"auth": base64.b64encode(text.encode()).decode()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the docker config file is."""
    return tmp_path / "config.json"


def source(path: Path, *registries: str) -> DockerConfigSource:
    """Build a source that takes these registries, or all."""
    settings = DockerConfigSourceSettings(name="file", path=path, registries=registries or None)
    return DockerConfigSource(settings, lambda: NOW)


def failure(path: Path, *registries: str) -> DriverError:
    """Return what a fetch raises, after a search for the secret in all that may be printed."""
    with pytest.raises(DriverError) as caught:
        source(path, *registries).fetch(())
    error = caught.value
    printed = "".join(traceback.format_exception(error)) + error.detail + error.hint
    for form in (SECRET, auth()["auth"]):
        assert form not in printed
    return error


def test_all(path: Path) -> None:
    """Without a filter every login is taken, under its canonical name, without an end."""
    entries = {f"https://{HOST}/v2/": auth(), "docker.io": auth("hub:s3cr3t-hub"), "x": {}}
    path.write_text(json.dumps({"auths": entries, "HttpHeaders": {}}))
    assert source(path).fetch(()) == [
        Credential(DOCKER_HUB, "hub", Secret("s3cr3t-hub"), NOW),
        Credential(HOST, "ci", Secret(SECRET), NOW),
    ]


def test_filter(path: Path) -> None:
    """With a filter only those registries are taken, and what the others are does not matter."""
    path.write_text(json.dumps({"auths": {HOST: auth(), "other": auth(), "broken": {"auth": 1}}}))
    assert [found.registry for found in source(path, HOST).fetch(())] == [HOST]


def test_replaced(path: Path) -> None:
    """A login that somebody renewed counts from the next fetch on."""
    taken = source(path, HOST)
    for secret in ("s3cr3t-1", "s3cr3t-2"):
        path.write_text(json.dumps({"auths": {HOST: auth(f"ci:{secret}")}}))
        assert taken.fetch(())[0].password == Secret(secret)


@pytest.mark.parametrize("field", ["identitytoken", "IdentityToken"])
def test_identity_token(path: Path, field: str) -> None:
    """An identity token is carried as such, as `docker login` to Azure leaves one."""
    entry = {**auth("00000000-0000-0000-0000-000000000000:x"), field: SECRET}
    path.write_text(json.dumps({"auths": {HOST: entry, "other": {"identitytoken": 5}}}))
    assert source(path).fetch(()) == [Credential(HOST, "<token>", Secret(SECRET), NOW)]


def test_web_login_of_docker_hub(path: Path) -> None:
    """Its access and refresh tokens are entries of their own, and no registries."""
    entries = {
        DOCKER_HUB: auth("hub:s3cr3t-hub"),
        f"{DOCKER_HUB}access-token": auth(),
        f"{DOCKER_HUB}refresh-token": {**auth(), "identitytoken": SECRET},
    }
    path.write_text(json.dumps({"auths": entries}))
    assert [one.registry for one in source(path).fetch(())] == [DOCKER_HUB]


@pytest.mark.parametrize(
    ("document", "words", "hint"),
    [
        pytest.param({}, "no entry", "docker --config", id="no auths"),
        pytest.param({"auths": {"other": auth()}}, "no entry", "docker --config", id="others"),
        pytest.param(
            {"auths": {f"https://{HOST}": {"auth": "?" + SECRET}}},
            "no login that clients can decode",
            "log in again",
            id="not base64",
        ),
        pytest.param(
            {"auths": {HOST: {}}, "credsStore": "pass"},
            "the credential helper pass",
            "type: credential_helper, helper: pass",
            id="in a store",
        ),
        pytest.param(
            {"credHelpers": {HOST: "gcr", "other": "pass"}, "credsStore": "desktop"},
            "the credential helper gcr",
            "helper: gcr",
            id="in the registry's own store",
        ),
        pytest.param(
            {"credHelpers": {"other": "pass"}}, "no entry", "docker --config", id="another's store"
        ),
        pytest.param({"credHelpers": [], "credsStore": 1}, "no entry", "docker", id="odd stores"),
    ],
)
def test_no_login(path: Path, document: dict[str, Any], words: str, hint: str) -> None:
    """A registry without a login: where the login is instead, and what to do."""
    path.write_text(json.dumps(document))
    error = failure(path, HOST)
    assert (type(error), error.reason) == (PermanentError, Reason.FIELD_MISSING)
    assert error.detail.startswith(f"{path} has no login for {HOST}: ")
    assert words in error.detail
    assert hint in error.hint


@pytest.mark.parametrize(
    ("document", "words"),
    [
        pytest.param({"auths": {}}, "no entry", id="nothing"),
        pytest.param({"auths": {HOST: {}}}, "no login that clients can decode", id="empty entry"),
        pytest.param({"credsStore": "pass"}, "credential helper pass", id="store"),
        pytest.param({"credHelpers": {HOST: "gcr"}}, "credential helper gcr", id="helper"),
    ],
)
def test_no_login_at_all(path: Path, document: dict[str, Any], words: str) -> None:
    """Without a filter, a file without any login is a failure too: it would publish nothing."""
    path.write_text(json.dumps(document))
    error = failure(path)
    assert error.reason is Reason.FIELD_MISSING
    assert "has no login for any registry" in error.detail
    assert words in error.detail


def test_names_all_that_lack(path: Path) -> None:
    """Every registry of the filter without a login is named at once."""
    path.write_text(json.dumps({"auths": {HOST: auth()}}))
    assert (
        "no login for a.example.com, b.example.com"
        in failure(path, HOST, "b.example.com", "a.example.com").detail
    )


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        pytest.param(b"", TemporaryError, "is empty", id="empty"),
        pytest.param(b" \n", TemporaryError, "is empty", id="blank"),
        pytest.param(f'{{"auths": "{SECRET}'.encode(), PermanentError, "JSON", id="truncated"),
        pytest.param(b"[]", PermanentError, "not a JSON object", id="list"),
        pytest.param(b'{"auths": []}', PermanentError, "`auths`", id="auths a list"),
        pytest.param(b"\xff\xfe", PermanentError, "not UTF-8", id="bytes"),
        pytest.param(b'\xef\xbb\xbf{"auths": {}}', PermanentError, "byte order mark", id="BOM"),
    ],
)
def test_malformed(path: Path, content: bytes, kind: type[DriverError], words: str) -> None:
    """What is no docker config is malformed; an empty file may be in the middle of a rewrite."""
    path.write_bytes(content)
    error = failure(path, HOST)
    assert (type(error), error.reason) == (kind, Reason.MALFORMED)
    assert str(path) in error.detail
    assert words in error.detail


def test_some_other_file(path: Path) -> None:
    """One that is far too long is not read to its end."""
    path.write_text(f'{{"auths": {{}}}}{" " * LIMIT}')
    error = failure(path)
    assert (type(error), error.reason) == (PermanentError, Reason.TOO_LARGE)


def test_missing(path: Path) -> None:
    """A file that is not there: the command that makes it."""
    error = failure(path)
    assert (type(error), error.reason) == (PermanentError, Reason.NOT_FOUND)
    assert f"docker --config {path.parent} login" in error.hint


def test_directory(path: Path) -> None:
    """A directory in its place: the command that removes it."""
    path.mkdir()
    error = failure(path)
    assert error.reason is Reason.UNREADABLE
    assert f"rmdir {path}" in error.hint


def test_unreadable(path: Path) -> None:
    """A file that can't be opened (here a link to itself): the command that shows why."""
    path.symlink_to(path)
    error = failure(path)
    assert (type(error), error.reason) == (PermanentError, Reason.UNREADABLE)
    assert f"ls -l {path}" in error.hint


@pytest.mark.parametrize("registries", [None, (HOST,)])
def test_build(path: Path, registries: tuple[str, ...] | None) -> None:
    """The configuration's keys arrive."""
    path.write_text(json.dumps({"auths": {HOST: auth()}}))
    settings = DockerConfigSourceSettings(name="team", path=path, registries=registries)
    built = build(settings, lambda: NOW)
    assert (built.name, built.login_stamp()) == ("team", None)
    assert built.registries == (None if registries is None else {HOST})
    assert len(built.fetch(())) == 1
