"""The page that answers by exact text: complete, and every command on it exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rotator.cli import cli
from rotator.core.errors import Reason

PAGE = Path(__file__).parents[2] / "deploy" / "troubleshooting.md"
TEXT = PAGE.read_text()
ROWS = {
    part: [line for line in text.splitlines() if line.startswith("| `")]
    for part, text in re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
}
JOB_TEXTS = (
    "no basic auth credentials",
    "denied: Your authorization token has expired",
    "unauthorized: authentication required",
    "error getting credentials - err: exec",
    "unexpected end of JSON input",
    "toomanyrequests",
    "Failed to create credential store from DOCKER_AUTH_CONFIG",
    "device or resource busy",
    "read-only file system",
    "is a directory",
)


def test_every_reason_has_a_row() -> None:
    """No reason without what to type, and no row without a reason."""
    named = [re.match(r"\| `([a-z_]+)` \|", row) for row in ROWS["What rotator says"]]
    assert [one[1] for one in named if one] == [str(reason) for reason in Reason]


@pytest.mark.parametrize("words", JOB_TEXTS)
def test_what_a_job_says(words: str) -> None:
    """The words that people search for are there, as Docker prints them."""
    assert any(words in row.split("|")[1] for row in ROWS["What a job's log says"])


def test_every_row_says_what_to_do() -> None:
    """Three cells, none of them empty."""
    rows = [row for part in ROWS.values() for row in part]
    assert len(rows) > 40
    for row in rows:
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
        assert len(cells) == 3, row
        assert all(cells), row


def test_every_command_exists() -> None:
    """What is to be typed is a command with these options."""
    for command, options in re.findall(r"`rotator ([a-z-]+)((?: --[a-z-]+)*)", TEXT):
        known = cli.commands[command]
        named = {name for option in known.params for name in option.opts}
        assert set(options.split()) <= named, command
