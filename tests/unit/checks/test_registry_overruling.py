"""What beats a file: the runner's own `environment`, and variables that nobody can look for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rotator.checks import registry
from rotator.config.targets import FileTargetSettings
from rotator.core.model import Held
from rotator.inspection import Findings
from tests.unit.checks.described import bad, case, file_target, login_file, rotation, the

if TYPE_CHECKING:
    from pathlib import Path

WITH = 'environment = ["A=1", "DOCKER_AUTH_CONFIG={}"]'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f'[[runners]]\nname = "ours"\n{WITH}', "of the runner ours sets DOCKER_AUTH_CONFIG"),
        ('[[runners]]\nname = "ours"\nenvironment = ["A=1"]', ""),
        ("runners = 1", ""),
        ("no toml [", ""),
    ],
)
def test_the_runners_environment(tmp_path: Path, text: str, words: str) -> None:
    """The runner on this machine may set the variable itself."""
    config = tmp_path / "config.toml"
    config.write_text(text)
    findings = Findings("the file")
    registry.runner_config(findings, config)
    if words:
        assert "environment" in the(findings.all, "warning", words).todo
    else:
        assert not bad(findings.all)


def test_without_a_token_it_is_said(tmp_path: Path) -> None:
    """Nobody can look, so the reader of `check` is told where to."""
    one = case(rotation([login_file(tmp_path)], [file_target(tmp_path)]))
    target = one.rotation.targets[0]
    assert isinstance(target, FileTargetSettings)
    findings = Findings("the file")
    registry.published(target, Held(None), one, findings)
    assert "Settings > CI/CD" in the(findings.all, "ok", "is not known").todo
