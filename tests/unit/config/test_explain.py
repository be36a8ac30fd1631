"""What is said of wrong documents: word by word, with line and column."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.config.cases import SHOWN, UNSEEN
from tests.unit.config.documents import ECR, document

if TYPE_CHECKING:
    from tests.unit.config.conftest import Problems

CASES = SHOWN | UNSEEN


@pytest.mark.parametrize("case", CASES)
def test_what_is_said(case: str, reported: Problems) -> None:
    """Each mistake is told with its place, what is wrong and what to write."""
    text, expected = CASES[case]
    assert reported(text) == expected


@pytest.mark.parametrize("case", CASES)
def test_no_secret_is_repeated(case: str, reported: Problems) -> None:
    """No text that could be a secret comes back in a message."""
    assert "s3cr3t-" not in "".join(reported(CASES[case][0]))


def test_everything_is_reported_at_once(reported: Problems) -> None:
    """Mistakes of the text, of values and between parts come together, in the file's order."""
    text = document(
        root="log: {level: loud}",
        more="longest_job: 24h",
        sources=(ECR, ECR, "{type: ecr, region: x, region: y}", "{type: vault}"),
        targets=("{type: file, path: /f}", "{type: file, path: f}"),
    )
    lines = reported(text)
    assert [line.split(": ")[0] for line in lines] == [
        "2:14", "5:16", "8:5", "9:25", "9:28", "10:5", "10:5", "10:5", "10:5", "13:24",
    ]  # fmt: skip
