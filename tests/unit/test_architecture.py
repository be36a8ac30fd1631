"""What ARCHITECTURE.md says is so: its tables of rules and worth, and every file that it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rotator.core import worth
from rotator.core.plan import RULES

PAGE = Path(__file__).parents[2] / "ARCHITECTURE.md"


def rules() -> str:
    """Return the table of the rules: the first line of each says what it decides."""
    rows = ["| rule | decides |", "| --- | --- |"]
    for rule in RULES:
        first = (rule.__doc__ or "").partition("\n")[0]
        rows.append(f"| `{rule.__name__}` | {first} |")
    return "\n".join(rows)


def worths() -> str:
    """Return the table that the module's docstring has."""
    lines = (worth.__doc__ or "").splitlines()
    return "\n".join(line for line in lines if line.startswith("|"))


def shown(name: str) -> str:
    """Return what the page has between the marks of this name."""
    text = PAGE.read_text(encoding="utf-8")
    return text.partition(f"<!-- {name} -->\n")[2].partition(f"\n<!-- end of {name} -->")[0]


def test_the_rules_are_documented() -> None:
    """Their order is the order in which they are asked."""
    assert shown("rules") == rules()


def test_the_worth_of_an_entry_is_documented() -> None:
    """The table in the code is the one that people read."""
    assert shown("worth") == worths()


NAMED = sorted(set(re.findall(r"`(\w[\w./-]*(?:\.py|/))`", PAGE.read_text(encoding="utf-8"))))


@pytest.mark.parametrize("name", NAMED)
def test_what_it_names_exists(name: str) -> None:
    """A path begins in the project or in the package; a bare name is anywhere in the package."""
    root = PAGE.parent
    bare = "/" not in name and list((root / "rotator").rglob(name))
    assert bare or any((root / base / name).exists() for base in ("", "rotator"))


def test_every_folder_is_named() -> None:
    """A new one needs a line there that says what is in it."""
    folders = {path.parent.name for path in PAGE.parent.glob("rotator/*/__init__.py")}
    assert folders <= {name.removeprefix("rotator/").strip("/") for name in NAMED}
