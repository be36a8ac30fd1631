"""Commands in sentences are as they have to be typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rotator.config.typed import DEFAULT_FILE, completed
from rotator.core.model import Verdict
from rotator.observe.view_model import Found


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("rotator run-once dind", "rotator --config /c run-once dind"),
        ("without one type: rotator run-once", "without one type: rotator --config /c run-once"),
        ("sudo -u x rotator check", "sudo -u x rotator --config /c check"),
        ("(rotator status)", "(rotator --config /c status)"),
        ("rotator run; rotator init", "rotator --config /c run; rotator --config /c init"),
    ],
)
def test_a_command(text: str, typed: str) -> None:
    """The option stands before the command, and is left out for the file in /etc."""
    assert completed(text, Path("/c")) == typed
    assert completed(text, DEFAULT_FILE) == text
    assert completed(typed, Path("/c")) == typed


@pytest.mark.parametrize(
    "text",
    ["the user that rotator runs as", "registry-rotator check", "/usr/bin/rotator status",
     "rotator", "rotator --version", "rotator check-in"],
)  # fmt: skip
def test_what_is_no_command(text: str) -> None:
    """A sentence about rotator stays."""
    assert completed(text, Path("/c")) == text


def test_a_name_that_a_shell_would_take_apart() -> None:
    """It is quoted, and is whole wherever the command is typed."""
    here = Path.cwd()
    assert completed("rotator run", Path("it's.yaml")) == (
        f"""rotator --config '{here}/it'"'"'s.yaml' run"""
    )


def test_what_holds_texts() -> None:
    """Mappings, lists and values keep their types, and enums stay what they are."""
    found = Found(hint="rotator check", differing=(("a", Found(hint="rotator status")),))
    typed = completed({"one": [found, 1, None, Verdict.ACCEPTED]}, Path("/c"))
    one, *others = typed["one"]
    assert isinstance(one, Found)
    assert one.hint == "rotator --config /c check"
    assert one.differing[0][1].hint == "rotator --config /c status"
    assert others == [1, None, Verdict.ACCEPTED]
    assert json.dumps(others[2]) == '"accepted"'
