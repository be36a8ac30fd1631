"""What `check` says of ECR, credential helpers and docker config files."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rotator.core.record import Record
from rotator.sources import DRIVERS as SOURCES
from rotator.targets import DRIVERS as TARGETS
from tests.fakes.ecr import FakeEcr, denied, key_in_environment, only_aws
from tests.privileges import obey_modes
from tests.support import free_port
from tests.unit.checks.described import (
    bad,
    file_target,
    levels,
    login_file,
    look,
    remember,
    rotation,
    the,
)

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from rotator.inspection import Finding


def ecr(place: Path, fake: FakeEcr, **settings: Any) -> list[Finding]:
    """Return what is found about a source at this endpoint."""
    source = {"type": "ecr", "region": "eu-west-1", "endpoint_url": fake.url, **settings}
    found = look(place, rotation([source], [file_target(place)]))
    return [finding for finding in found if finding.about == "ecr"]


def test_ecr(tmp_path: Path, fake_ecr: FakeEcr, sts: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whom AWS takes us for, a token, and a registry that accepts it."""
    key_in_environment(monkeypatch)
    found = ecr(tmp_path, fake_ecr, sts_endpoint_url=sts)
    assert not bad(found)
    the(found, "ok", "AWS takes us for arn:aws:")
    the(found, "ok", "ecr gives a token")
    the(found, "ok", "accepts what it gives, which ends in 11 h")


def test_ecr_without_sts(
    tmp_path: Path, fake_ecr: FakeEcr, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An STS out of reach is no trouble where ECR answers."""
    key_in_environment(monkeypatch)
    found = ecr(tmp_path, fake_ecr, sts_endpoint_url=f"http://127.0.0.1:{free_port()}")
    assert not bad(found)
    the(found, "ok", "is not known: GetCallerIdentity of sts")


def test_ecr_denied(
    tmp_path: Path, fake_ecr: FakeEcr, sts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What IAM has to allow, and for whom."""
    key_in_environment(monkeypatch)
    fake_ecr.trouble = denied()
    found = ecr(tmp_path, fake_ecr, sts_endpoint_url=sts)
    assert "ecr:GetAuthorizationToken" in the(found, "failure", "is denied").todo
    the(found, "ok", "AWS takes us for arn:aws:")


def test_ecr_without_keys(
    tmp_path: Path, fake_ecr: FakeEcr, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No AWS credentials at all is one failure, not two."""
    only_aws(monkeypatch)
    (found,) = ecr(tmp_path, fake_ecr)
    assert (found.level, "no AWS credentials" in found.found) == ("failure", True)


def helper(place: Path, script: str, **settings: Any) -> list[Finding]:
    """Return what is found about a credential helper that is this shell script."""
    program = place / "docker-credential-mine"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    source = {
        "type": "credential_helper",
        "helper": "mine",
        "registries": ["127.0.0.1:1"],
        **settings,
    }
    found = look(place, rotation([source], [file_target(place)]))
    return [finding for finding in found if finding.about == "credential_helper"]


def test_helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A helper is run once; a registry that can't be asked is a warning."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    script = """echo x >> $0.runs; echo '{"Username":"u","Secret":"s3cr3t-p"}'"""
    found = helper(tmp_path, script)
    the(found, "ok", "docker-credential-mine answers")
    the(found, "warning", "127.0.0.1:1 cannot be asked")
    assert (tmp_path / "docker-credential-mine.runs").read_text() == "x\n"


def test_helper_that_is_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A helper may take longer in a fetch than here: a warning. One that may not is a failure."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    found = helper(tmp_path, "sleep 60", timeout="50s")
    assert "longer than this check" in the(found, "warning", "did not end").todo
    the(helper(tmp_path, "sleep 60", timeout="1s"), "failure", "did not end")


def test_helper_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A helper that is not installed is told by the driver."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    the(helper(tmp_path, "exit 1"), "failure", "is not installed")


def test_docker_config_file(tmp_path: Path) -> None:
    """A file with a login; one without is a failure with what to type."""
    settings = rotation([login_file(tmp_path)], [file_target(tmp_path)])
    the(look(tmp_path, settings), "ok", "holds 1 login")
    (tmp_path / "login.json").write_text("{}")
    assert "docker --config" in the(look(tmp_path, settings), "failure", "has no login").todo


def test_every_driver_has_an_inspection() -> None:
    """The tables name a module that inspects for every driver that comes with rotator."""
    for driver in (*SOURCES.values(), *TARGETS.values()):
        assert callable(import_module(driver.inspection).inspect)


def test_journal_of_somebody_else(tmp_path: Path) -> None:
    """A state directory that we may not read is a warning that says as whom to check."""
    settings = rotation([login_file(tmp_path)], [file_target(tmp_path)])
    remember(tmp_path, Record())
    (tmp_path / "state").chmod(0)
    obey_modes(on=True)
    try:
        found = look(tmp_path, settings)
    finally:
        obey_modes(on=False)
    assert "stat -c %U" in the(found, "warning", "cannot be read (Permission denied)").todo


def test_paused(tmp_path: Path) -> None:
    """What is paused is not asked, and is no failure."""
    gone = {"type": "docker_config", "name": "login", "path": "/nowhere/config.json"}
    paused = rotation([gone], [file_target(tmp_path)], enabled=False)
    found = look(tmp_path, paused)
    assert levels(found) == ["ok: paused (`enabled: false`), so not asked"] * 2
    target = file_target(tmp_path, enabled=False)
    found = look(tmp_path, rotation([login_file(tmp_path)], [target]))
    assert levels(found, "the file") == ["ok: paused (`enabled: false`), so not asked"]
