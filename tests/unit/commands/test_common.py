"""Which rotations a command is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest

from rotator.commands.common import rotations
from rotator.config.schema import Configuration
from tests.support import made

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    """Two rotations: each has a file of its own."""
    source = {"type": "credential_helper", "helper": "x", "registries": ["registry.example.com"]}
    both = [
        {"name": name, "sources": [source], "targets": [{"type": "file", "path": f"/{name}"}]}
        for name in ("one", "two")
    ]
    return made(Configuration, version=1, state_dir=tmp_path, rotations=both)


@pytest.mark.parametrize(
    ("names", "targets", "chosen"),
    [
        ((), (), ["one", "two"]),
        (("two", "one", "two"), (), ["two", "one"]),
        ((), ("file:/two",), ["two"]),
        (("one",), ("file:/one",), ["one"]),
    ],
)
def test_chosen(
    configuration: Configuration, names: list[str], targets: list[str], chosen: list[str]
) -> None:
    """All where none is named, in the order in which they are named, each once."""
    assert [one.name for one in rotations(configuration, names, targets)] == chosen


@pytest.mark.parametrize(
    ("names", "targets", "said"),
    [
        (("tow",), (), "there is no rotation 'tow'; did you mean two?"),
        (("x",), (), "there is: one, two"),
        (("one",), ("file:/two",), "there is no target 'file:/two'"),
    ],
)
def test_not_there(
    configuration: Configuration, names: list[str], targets: list[str], said: str
) -> None:
    """It is said what there is."""
    with pytest.raises(click.UsageError, match="there is no") as caught:
        rotations(configuration, names, targets)
    assert said in caught.value.message
