"""The rules of `plan` and the table of `worth`, as ARCHITECTURE.md shows them."""

from __future__ import annotations

from pathlib import Path

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
