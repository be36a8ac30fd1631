"""The tables of `rotator status` and `run-once`, compared with texts that a person read."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from msgspec.structs import replace
from rich.console import Console

from rotator.observe.table import show
from rotator.observe.view_model import STOPPED, UNKNOWN, EntryFound, Found, View
from tests.unit.observe.views import ECR, HARBOR, VIEW

SNAPSHOTS = Path(__file__).with_name("snapshots")
FOUND = [
    Found((EntryFound(ECR, "current"), EntryFound(HARBOR, "foreign")), "foreign"),
    Found(reason="unreachable", detail="https://gitlab.example.com: refused", hint="see why"),
    Found((EntryFound(ECR, "current"),), "ours"),
    Found((EntryFound(ECR, "withheld"),), "ours"),
]


def printed(status: View, width: int, encoding: str = "utf-8", *, colour: bool = False) -> str:
    """Return what a terminal of that width shows, without white space at the ends of lines."""
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding=encoding) as out:
        show(status, Console(file=out, width=width, highlight=False, force_terminal=colour))
        out.flush()
        text = raw.getvalue().decode(encoding)
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def with_found() -> View:
    """Return the status with what `--live` found in its targets."""
    found = iter(FOUND)
    first, second, *_ = VIEW.rotations
    rotations = [
        replace(one, targets=tuple(replace(t, found=next(found)) for t in one.targets))
        for one in (first, second)
    ]
    return View(VIEW.at, STOPPED, tuple(rotations))


@pytest.mark.parametrize(
    ("name", "status", "width", "encoding"),
    [
        ("wide", VIEW, 120, "utf-8"),
        ("narrow", VIEW, 60, "utf-8"),
        ("ascii", VIEW, 130, "ascii"),
        ("live", with_found(), 120, "utf-8"),
        ("live-narrow", with_found(), 60, "utf-8"),
    ],
)
def test_snapshot(name: str, status: View, width: int, encoding: str) -> None:
    """The table is the one that was looked at. Meant otherwise? Look at the new one, keep it."""
    stored = SNAPSHOTS / f"{name}.txt"
    text = printed(status, width, encoding)
    if not stored.exists():
        stored.write_text(text)
        pytest.fail(f"{stored} is new: look at it")
    assert text == stored.read_text()


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_fits(width: int) -> None:
    """No line is longer than the terminal is wide."""
    assert max(map(len, printed(with_found(), width).splitlines())) <= width


@pytest.mark.parametrize("width", [60, 200])
def test_a_name_is_no_markup(width: int) -> None:
    """What rich would take for a style, an emoji or a mistake is a name as any other."""
    name = "file:/a/[red]/:tv:/[/x]"
    rotation = VIEW.rotations[0]
    target = replace(rotation.targets[0], name=name)
    status = replace(VIEW, rotations=(replace(rotation, targets=(target,)),))
    assert name in printed(status, width)


def test_no_colour_in_a_pipe() -> None:
    """Escape sequences are for terminals alone."""
    assert "\x1b" not in printed(VIEW, 120)
    assert "\x1b[" in printed(VIEW, 120, colour=True)


def test_says_what_it_is_made_from() -> None:
    """Running, dead, or not to be told: the first line says it."""
    first = [
        printed(replace(VIEW, daemon=daemon), 120).splitlines()[0]
        for daemon in ("running", STOPPED, UNKNOWN)
    ]
    assert "the daemon is running" in first[0]
    assert "no daemon is running" in first[1]
    assert "nobody can say" in first[2]


def test_no_line_ends_in_blanks_in_a_pipe() -> None:
    """It is pasted into a ticket as it is."""
    out = io.StringIO()
    show(VIEW, Console(file=out, width=80, highlight=False))
    assert out.getvalue().count("\n") > 20
    assert [line for line in out.getvalue().splitlines() if line != line.rstrip()] == []
