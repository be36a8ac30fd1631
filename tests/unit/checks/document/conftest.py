"""A rotation that has published twice."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from rotator.core.record import KnownCredential, Record, TargetRecord
from tests.support import NOW
from tests.unit.checks.described import HARBOR, case, file_target, login_file, rotation
from tests.unit.checks.document.documents import NEW, OLD, TARGET, document, name_of, prove

if TYPE_CHECKING:
    from pathlib import Path

    from rotator.inspection import Case


@pytest.fixture
def known(tmp_path: Path) -> Case:
    """Give a rotation that published OLD five hours ago, and NEW an hour ago."""
    hours = timedelta(hours=1)
    record = Record(
        credentials={
            HARBOR: (
                KnownCredential(
                    name_of(f"robot:{NEW}"), "login", NOW - hours, NOW + 4 * hours, None
                ),
                KnownCredential(
                    name_of(f"robot:{OLD}"), "login", NOW - 5 * hours, NOW - hours, None
                ),
            )
        },
        targets={
            TARGET: TargetRecord(
                (name_of(document(harbor=NEW)), name_of(document(harbor=OLD))), NOW - hours
            )
        },
    )
    target = file_target(tmp_path)
    (tmp_path / "docker" / "config.json").write_text(document(harbor=NEW) + "\n")
    settings = rotation([login_file(tmp_path)], [target])
    return case(settings, record, prove=prove, fingerprint=name_of)
