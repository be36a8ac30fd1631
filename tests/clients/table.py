"""Prints the documentation's table of what each program takes of a document.

`python -m tests.clients.table` writes it into the page.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rotator.clients.judge import judge
from rotator.clients.lookups import Consumer
from tests.clients.examples import EXAMPLES, HOST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rotator.clients.lookups import Verdict

PAGE = Path(__file__).resolve().parents[2] / "deploy" / "clients.md"
BEGIN = "<!-- made by: python -m tests.clients.table -->\n"
END = "<!-- end of what is made -->\n"


def rows() -> Iterator[str]:
    """Give the table's lines."""
    yield f"| in the document | {' | '.join(Consumer)} |"
    yield "|" + " --- |" * (len(Consumer) + 1)
    for example in EXAMPLES:
        if example.shown:
            verdicts = judge(example.text, registries=[example.registry]).verdicts
            cells = [_cell(verdicts[example.registry][consumer]) for consumer in Consumer]
            yield f"| {' | '.join([example.words, *cells])} |"


def page(text: str) -> str:
    """Return the page with the table of now."""
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    table = "\n".join(rows())
    return f"{before}{BEGIN}\n{table}\n\n{END}{after}"


def _cell(verdict: Verdict) -> str:
    if verdict.taken:
        return "yes"
    why = verdict.why.partition(": ")[0].replace(HOST, "HOST")
    why = why.replace("neighbour.example.com", "NEIGHBOUR").replace("missing-here", "X")
    return f"{'**at random**' if verdict.at_random else '**no**'}: {why}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
