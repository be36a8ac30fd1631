"""The project speaks the field's words: none of a list of private words occurs in it.

The glossary of ARCHITECTURE.md says which words there are. Names are split into their parts
(`_last_seen`, `kept_all`, `BigBell`), so that one rule holds for code and for sentences.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).parents[2]

PRIVATE = """
wish wishes wished hand hands handed told served vouch vouches vouched adopt adopts adopted
outdated seen looked answered claims prints half halves settles settled settling
befall befalls befell mend mends mended anew hence bell bells peek peeks peeked words kept
standing teller tellers outside draw draws drew drawn ward wards patient patients
sheet sheets visit visits visited moment moments
""".split()  # noqa: SIM905  a text is easier to read and to sort
TWO_WORDS = re.compile(r"\blets?\s+go\b")

ALLOWED = {
    r'"kept"|`kept`': "an outcome of a credential in `--json`, which scripts read",
    r"Kept fresh by rotator": "the mark in the description of GitLab's variables",
    r'name="adopted"': "a field of journals that lie on disks",
    r"self\.peek_event\(": "a method of PyYAML",
}

FILES = [
    *(
        PROJECT / name
        for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md")
    ),
    *PROJECT.glob("deploy/**/*.md"),
    *PROJECT.glob("rotator/**/*.py"),
    *PROJECT.glob("rotator/**/*.html"),
]


def private(text: str) -> Iterator[str]:
    """Yield the private words in a text, each with its line."""
    for allowed in ALLOWED:
        text = re.sub(allowed, "", text)
    for match in re.finditer(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", text):
        if match[0].lower() in PRIVATE:
            yield f"line {text.count(chr(10), 0, match.start()) + 1}: {match[0]}"
    for match in TWO_WORDS.finditer(text):
        yield f"line {text.count(chr(10), 0, match.start()) + 1}: {match[0]}"


@pytest.mark.parametrize("path", sorted(FILES), ids=lambda path: str(path.relative_to(PROJECT)))
def test_no_private_word(path: Path) -> None:
    """Write the field's word instead, or a plainer one."""
    assert not list(private(path.read_text("utf-8")))


def test_names_of_tests() -> None:
    """They are what a person reads first when something fails."""
    names = [
        name
        for path in PROJECT.glob("tests/**/test_*.py")
        for name in re.findall(r"^ *def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
    ]
    assert len(names) > 1000
    assert not [name for name in names if list(private(name))]


@pytest.mark.parametrize(
    "text", ["_kept", "peek_all", "BigBell", "HAND", "what is\nin hand", "lets\ngo", '"adopted"']
)
def test_what_is_private(text: str) -> None:
    """Parts of names count as words do, in any case and over the end of a line."""
    assert len(list(private(text))) == 1


@pytest.mark.parametrize("text", ["handle", "fingerprints", "towards", "`kept`", "settle"])
def test_what_is_not(text: str) -> None:
    """A word that only holds a private one is another word."""
    assert not list(private(text))


def test_nothing_is_allowed_in_vain() -> None:
    """An exception that no file needs any more is taken out."""
    every = "\n".join(path.read_text("utf-8") for path in FILES)
    assert not [allowed for allowed in ALLOWED if not re.search(allowed, every)]


def test_the_glossary_is_short() -> None:
    """Who knows certbot or Vault knows most of it; more than 30 terms nobody remembers."""
    page = (PROJECT / "ARCHITECTURE.md").read_text("utf-8")
    section = page.partition("## One word each")[2].partition("\n## ")[0]
    terms = [line for line in section.splitlines() if line.startswith("| ")][2:]
    assert 20 < len(terms) <= 30
