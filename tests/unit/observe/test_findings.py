"""How findings look in a terminal and in a pipe."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from rotator.inspection import Finding, Level, worst
from rotator.observe.findings import show

LONG = "file:/srv/gitlab-runner/very/deep/directory/of/the/platform/team/.docker/config.json"
FINDINGS = [
    Finding(Level.OK, "vault", "https://vault.example.com answers [and] is unsealed"),
    Finding(Level.WARNING, "vault", "the token ends in 1 h", "vault token create -period=24h"),
    Finding(Level.FAILURE, LONG, f"cannot write {LONG}", f"chmod go-w {LONG}"),
]


def printed(width: int, *, terminal: bool = False) -> str:
    """Return what is printed at this width."""
    stream = io.StringIO()
    console = Console(
        file=stream,
        width=width,
        force_terminal=terminal,
        color_system="standard" if terminal else "auto",
        highlight=False,
    )
    show([("dind", FINDINGS)], console)
    return stream.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_widths(width: int) -> None:
    """Nothing is cut and no line is too long; each finding has its level before it."""
    lines = printed(width).splitlines()
    assert max(map(len, lines)) <= width
    text = "\n".join(line.rstrip() for line in lines)
    assert LONG in "".join(line.strip() for line in text.splitlines())
    assert "answers [and] is unsealed" in " ".join(text.split())
    assert "    warning  the token ends in 1 h\n             To do: vault token create" in text
    assert text.startswith("dind: failure\n  vault\n    ok       https://")
    assert "1 failure, 1 warning, 1 ok." in text


def test_colour() -> None:
    """Colour is for terminals, and tells nothing that is not written."""
    assert "\x1b[" in printed(80, terminal=True)
    assert "\x1b[" not in printed(80)


def test_worst() -> None:
    """The worst finding names the whole; nothing found is well."""
    assert worst(FINDINGS) is Level.FAILURE
    assert worst(FINDINGS[:2]) is Level.WARNING
    assert worst([]) is Level.OK
