"""What bad input gets: the old document stays byte for byte, and the exit code says so."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.servers.openbao import sealed
from tests.support import MARKED, free_port

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.e2e.site import Site
    from tests.servers.openbao import OpenBao

VAULT: dict[str, tuple[Callable[[Site], object], str]] = {
    "refused": (lambda s: s.vault.update(address=f"http://127.0.0.1:{free_port()}"), "unreachable"),
    "token-expired": (lambda s: s.bao.revoke_token(s.token.read_text()), "login_rejected"),
    "token-wrong": (lambda s: s.token.write_text(f"{MARKED}wrong"), "login_rejected"),
    "token-file-missing": (lambda s: s.token.unlink(), "unreadable"),
    "policy-denies": (lambda s: s.token.write_text(s.bao.token("default")), "forbidden"),
    "path-missing": (
        lambda s: (s.token.write_text(s.bao.root), s.vault.update(path="secret/nowhere")),
        "not_found",
    ),
    "secret-deleted": (lambda s: s.bao.api("DELETE", s.path), "deleted"),
    "field-missing": (lambda s: s.bao.put(s.path, {"username": "u"}), "field_missing"),
    "field-empty": (
        lambda s: s.bao.put(s.path, {"username": "u", "password": ""}),
        "field_missing",
    ),
    "field-not-text": (
        lambda s: s.bao.put(s.path, {"username": "u", "password": {"a": 1}}),
        "malformed",
    ),
    "registry-rejects": (lambda s: s.registry.passwords.update({"robot$ci": "other"}), "rejected"),
}


@pytest.mark.parametrize("case", VAULT)
def test_vault_fails(site: Site, case: str) -> None:
    """Whatever Vault answers, the published document stays and the reason is told."""
    site.rotation["sources"] = [site.vault]
    assert site.run().code == 0
    old = site.file.read_bytes()
    sabotage, reason = VAULT[case]
    sabotage(site)
    result = site.run()
    assert result.code == 1
    assert result.reasons == {reason}
    assert site.file.read_bytes() == old
    assert result.json["credentials"][0]["hint"]


def test_vault_sealed(site: Site) -> None:
    """A sealed Vault is `unavailable`, and the hint says who can unseal it."""
    site.rotation["sources"] = [site.vault]
    site.run()
    old = site.file.read_bytes()
    with ExitStack() as stack:
        stack.enter_context(sealed(site.bao))
        result = site.run()
    assert (result.code, result.reasons) == (1, {"unavailable"})
    assert "unseal" in result.json["credentials"][0]["hint"]
    assert site.file.read_bytes() == old


def test_vault_tls_not_trusted(site: Site, openbao_tls: OpenBao) -> None:
    """A certificate that nobody signed is named, with the key that trusts it."""
    site.rotation["sources"] = [site.vault]
    site.run()
    old = site.file.read_bytes()
    site.vault["address"] = openbao_tls.url
    result = site.run()
    assert (result.code, result.reasons) == (1, {"unreachable"})
    assert "ca_file" in result.json["credentials"][0]["hint"]
    assert site.file.read_bytes() == old


ECR: dict[str, tuple[Callable[[Site], object], str]] = {
    "garbage": (lambda s: setattr(s.ecr, "trouble", "garbage"), "malformed"),
    "no-token": (lambda s: setattr(s.ecr, "trouble", "no_token"), "malformed"),
    "expired-already": (
        lambda s: setattr(s.ecr, "lifetime", timedelta(seconds=-60)),
        "expired",
    ),
    "key-unknown": (lambda s: s.ecr.keys.clear(), "login_rejected"),
}


@pytest.mark.parametrize("case", ECR)
def test_ecr_fails(site: Site, case: str) -> None:
    """Whatever ECR answers, the published document stays and the reason is told."""
    site.rotation["sources"] = [site.aws]
    assert site.run().code == 0
    old = site.file.read_bytes()
    sabotage, reason = ECR[case]
    sabotage(site)
    result = site.run()
    assert (result.code, result.reasons) == (1, {reason})
    assert site.file.read_bytes() == old


GARBAGE = {
    "empty": "",
    "truncated": '{"auths":{"a":{"au',
    "not-json": "auths: {}",
    "no-object": "[]",
    "auths-no-object": '{"auths":[]}',
}


@pytest.mark.parametrize("text", GARBAGE.values(), ids=GARBAGE)
def test_garbage_that_is_not_ours_is_set_aside(site: Site, text: str) -> None:
    """No client could read it either: it is replaced, and what was there is stored beside it."""
    site.file.write_text(text)
    result = site.run()
    assert (result.code, result.reasons) == (0, set())
    assert site.published()
    broken = site.file.with_name(f"{site.file.name}.broken")
    assert broken.exists() is bool(text)
    assert not text or broken.read_text() == text


@pytest.mark.parametrize("text", GARBAGE.values(), ids=GARBAGE)
def test_garbage_in_our_file_is_repaired(site: Site, text: str) -> None:
    """A file that the journal knows is written again, without a new fetch where that can be."""
    site.run()
    good = site.published()
    site.file.write_text(text)
    result = site.run()
    assert result.code == 0
    assert site.published().keys() == good.keys()


def test_a_full_directory_in_its_place(site: Site) -> None:
    """A directory with something in it is not removed."""
    site.file.mkdir()
    (site.file / "kept").touch()
    result = site.run()
    assert result.code == 1
    assert (site.file / "kept").exists()
    assert result.json["targets"][0]["hint"]


IN_ITS_PLACE: dict[str, tuple[Callable[[Path], object], str]] = {
    "directory-gone": (lambda file: file.parent.rename(file.parent.with_name("away")), "not_found"),
    "full-directory": (lambda file: (file / "kept").mkdir(parents=True), "invalid"),
    "pipe": (os.mkfifo, "unsafe_path"),
    "link-elsewhere": (lambda file: file.symlink_to("/nowhere/config.json"), "unsafe_path"),
    "link-to-itself": (lambda file: file.symlink_to(file.name), "unsafe_path"),
    "no-text": (lambda file: file.write_bytes(b'{"auths":{},"a":"\xff"}'), "malformed"),
    "huge": (lambda file: file.write_bytes(b" " * (2 << 20)), "too_large"),
}


@pytest.mark.parametrize("case", IN_ITS_PLACE)
def test_something_else_in_its_place(site: Site, case: str) -> None:
    """What was published there is gone, so jobs are not safe, whatever the journal remembers."""
    site.run()
    site.file.unlink()
    replace, reason = IN_ITS_PLACE[case]
    replace(site.file)
    result = site.run("--only-due")
    assert (result.code, result.reasons) == (1, {reason})
    assert result.json["job_safe"] is False
    assert result.json["targets"][0]["expires_at"] is None


def test_an_empty_directory_in_its_place(site: Site) -> None:
    """Docker makes a directory when a job mounts a missing file: it is removed, and said."""
    site.file.mkdir()
    result = site.run()
    assert result.code == 0
    assert site.file.is_file()
    assert any("directory" in note for note in result.json["targets"][0]["notes"])


def test_the_journal_is_corrupt(site: Site) -> None:
    """A journal that can't be read is set aside with a warning, and costs one fetch."""
    site.run()
    journal = site.place / "state" / "site.json"
    journal.write_text("{garbage")
    result = site.run("--only-due")
    assert result.code == 0
    assert "set aside" in result.err
    assert json.loads(journal.read_text())["outcome"] in {"fresh", "rotated"}


def test_the_state_directory_cannot_be_written(site: Site) -> None:
    """A state directory that is a file is a warning: publishing goes on."""
    (site.place / "state").write_text("")
    result = site.run()
    assert result.code == 0
    assert "state" in result.err
    assert site.published()


def test_two_sources_for_one_registry(site: Site) -> None:
    """Refused before anything is touched, with the line of each."""
    site.rotation["sources"] = [site.vault, {**site.vault, "name": "second"}]
    result = site.run()
    assert result.code == 2
    assert "rotator.yaml:" in result.err
    assert site.registry.host in result.err
    assert not site.file.exists()


@pytest.mark.parametrize("hours", [30, -30])
def test_the_clock_is_far_off(site: Site, hours: int) -> None:
    """AWS refuses a signature from another day: the message says that it is the clock."""
    site.rotation["sources"] = [site.aws]
    site.run()
    old = site.file.read_bytes()
    site.ecr.offset = timedelta(hours=hours)
    result = site.run()
    assert result.code == 1
    assert "clock" in json.dumps(result.json["credentials"])
    assert site.file.read_bytes() == old


def test_the_clock_is_a_little_off(site: Site) -> None:
    """The end of a token is told in our time, by the Date of the answer."""
    site.rotation["sources"] = [site.aws]
    site.ecr.offset = timedelta(minutes=4)
    result = site.run()
    end = datetime.fromisoformat(result.json["credentials"][0]["expires_at"])
    left = end - datetime.now(UTC)
    assert abs(left - timedelta(hours=12)) < timedelta(minutes=3)


def test_a_proxy_answers_403(site: Site) -> None:
    """A proxy's 403 is no rejection: it must not cause an outage."""
    site.rotation["sources"] = [site.vault]
    site.registry.blocked = "<html>blocked by policy</html>"
    result = site.run()
    assert (result.code, result.json["credentials"][0]["proof"]) == (0, "unknown")
    site.rotation["prove"] = "strict"
    site.put(f"{MARKED}harbor-2")
    old = site.file.read_bytes()
    assert site.run().code == 1
    assert site.file.read_bytes() == old
