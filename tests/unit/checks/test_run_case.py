"""What is known of a rotation before anybody is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rotator.checks.run import open_case
from rotator.config.schema import RotationSettings
from rotator.core.model import Held, Secret
from rotator.core.record import Record
from rotator.inspection import Findings
from rotator.system.journal import KEY
from tests.support import NOW, made
from tests.unit.checks.described import accept, file_target, login_file, remember, rotation, the

if TYPE_CHECKING:
    from pathlib import Path

    from rotator.inspection import Case


def opened(place: Path) -> tuple[Case, Findings]:
    """Return the case of a rotation whose state is in `place`, and what was found meanwhile."""
    settings: dict[str, Any] = rotation([login_file(place)], [file_target(place)])
    findings, one = Findings("journal"), made(RotationSettings, **settings)
    case = open_case(place / "state", one, lambda: NOW, accept, findings, consume=False)
    return case, findings


def test_a_record_that_is_none(tmp_path: Path) -> None:
    """It is said what the next cycle does."""
    remember(tmp_path, Record())
    (tmp_path / "state" / "dind.json").write_text("{")
    case, findings = opened(tmp_path)
    assert case.record == Record()
    assert "starts afresh" in the(findings.all, "warning", "cannot be read").todo


def test_a_key_that_is_none(tmp_path: Path) -> None:
    """Nothing is known as ours then."""
    remember(tmp_path, Record())
    case, _ = opened(tmp_path)
    assert case.fingerprint is not None
    (tmp_path / "state" / KEY).write_text("")
    assert opened(tmp_path)[0].fingerprint is None


@pytest.mark.parametrize(
    ("text", "level"), [('{"auths":{}}', "ok"), ("{", "warning")], ids=["empty", "broken"]
)
def test_a_member_of_a_group(tmp_path: Path, text: str, level: str) -> None:
    """What each object of many holds is judged as that of one is."""
    case, _ = opened(tmp_path)
    found = case.published(case.rotation.targets[0], Held(Secret(text)), case)
    assert level in {one.level for one in found}
