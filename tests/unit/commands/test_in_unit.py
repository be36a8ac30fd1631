"""Where a command runs: here, as the installed unit does, or not at all."""

from __future__ import annotations

import os
import sys
from itertools import product
from typing import TYPE_CHECKING

import click
import pytest

from rotator.commands.in_unit import Place, run_there, this_place
from rotator.config.typed import DEFAULT_FILE

if TYPE_CHECKING:
    from pathlib import Path

UNIT = Place(root=True, installed=True, inside=False, own=True)


@pytest.mark.parametrize(("root", "inside"), list(product([False, True], repeat=2)))
def test_without_the_unit_or_its_configuration_it_runs_here(root: bool, inside: bool) -> None:  # noqa: FBT001  a case
    """A container, a checkout, a configuration of one's own: nothing is different there."""
    for installed, own in ((False, True), (True, False), (False, False)):
        place = Place(root, installed, inside, own)
        assert run_there(place, "check", ["check"]) is None


@pytest.mark.parametrize("root", [False, True])
def test_the_units_own_command_runs_here(root: bool) -> None:  # noqa: FBT001  a case
    """It has what the unit has."""
    assert run_there(Place(root, True, True, True), "check", ["check"]) is None  # noqa: FBT003


def test_another_configuration_is_none_of_the_units(tmp_path: Path) -> None:
    """Nothing else has to be looked at then."""
    assert this_place(tmp_path / "rotator.yaml").own is False
    assert this_place(DEFAULT_FILE).own is True


@pytest.mark.parametrize(
    ("place", "command", "line"),
    [
        (Place(False, True, False, True), "check", "sudo rotator check"),  # noqa: FBT003  a row
        (Place(True, True, False, True, known=False), "check", "daemon-reload; rotator check"),  # noqa: FBT003
        (Place(True, True, False, True, bus=False), "check", "install dbus; rotator check"),  # noqa: FBT003
        (Place(True, True, False, True, bus=False), "run-once", "systemctl start rotator-once"),  # noqa: FBT003
    ],
)
def test_nothing_is_touched(
    place: Place, command: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where it can run nowhere, it is said what to type."""
    assert run_there(place, command, [command]) == 2
    assert line in capsys.readouterr().err


@pytest.fixture
def systemd_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file into which a stand-in for systemd-run writes its arguments and its input."""
    script = tmp_path / "systemd-run"
    script.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" >{tmp_path}/given\ncat >>{tmp_path}/given\nexit 7\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("LANG", "C.UTF-8")
    return tmp_path / "given"


@pytest.mark.parametrize("form", ["--document {}", "--document={}"])
def test_as_the_unit_does(systemd_run: Path, tmp_path: Path, form: str) -> None:
    """With its exit code; a document that only root can read is its input; `$` stays one."""
    document = tmp_path / "job.json"
    document.write_text("what the job used")
    words = ["check", *form.format(document).split(), "$HOME"]
    assert run_there(UNIT, "check", words, str(document)) == 7
    *given, last = systemd_run.read_text().splitlines()
    assert last == "what the job used"
    assert given[given.index("--") + 2 :] == ["check", *form.format("-").split(), "$$HOME"]
    assert "--setenv=LANG=C.UTF-8" in given


def test_input_is_passed_on(
    systemd_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command without a document, or with `-`, gets the input that is there."""
    document = tmp_path / "job.json"
    document.write_text("typed")
    with document.open() as opened:
        monkeypatch.setattr(sys, "stdin", opened)
        assert run_there(UNIT, "check", ["check", "--document", "-"], "-") == 7
    assert systemd_run.read_text().endswith("--document\n-\ntyped")


def test_a_document_that_is_not_there() -> None:
    """It is wrong usage, before anything is started."""
    with pytest.raises(click.UsageError, match="cannot read /nowhere"):
        run_there(UNIT, "check", ["check", "--document", "/nowhere"], "/nowhere")
