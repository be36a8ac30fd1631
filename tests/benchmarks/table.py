"""The results that are kept with the project, and the table in ARCHITECTURE.md that shows them.

`python -m tests.benchmarks.table` writes the table from them again.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from tests.benchmarks.installed import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

KEPT = ROOT / "tests" / "benchmarks" / "results.json"
DOCUMENT = ROOT / "ARCHITECTURE.md"
BEGIN, END = "<!-- bench -->", "<!-- end of bench -->"


def keep(document: Mapping[str, Any]) -> None:
    """Keep results: rows that were not measured this time stay as they were."""
    rows = {row["name"]: row for row in _kept()["rows"]} if KEPT.exists() else {}
    rows |= {row["name"]: row for row in document["rows"]}
    KEPT.write_text(json.dumps({**document, "rows": list(rows.values())}, indent=2) + "\n")
    main()


def main() -> None:
    """Put the table into ARCHITECTURE.md."""
    before, _, rest = DOCUMENT.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    kept = _kept()
    lines = [
        "| what | against | ratio | ours : theirs | goal |",
        "| --- | --- | --- | --- | --- |",
        *map(_line, kept["rows"]),
        "",
        (
            f"Version {kept['version']}, Python {kept['python']}, {kept['machine']}; "
            f"{kept['measured_at'][:10]}."
        ),
    ]
    DOCUMENT.write_text(f"{before}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{after}")


def _kept() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(KEPT.read_text())
    return document


def _line(row: Mapping[str, Any]) -> str:
    unit = f" {row['unit']}" if row["unit"] else ""
    goal = "" if row["goal"] is None else f"≤ {row['goal']:g}"
    if row["verdict"] == "missed":
        goal += " (**missed**)"
    ratio = "" if math.isinf(row["ratio"]) else f"{row['ratio']:.2f}"
    both = f"{row['ours']:.3g}{unit} : {row['theirs']:.3g}{unit}"
    return f"| {row['name']} | {row['against']} | {ratio} | {both} | {goal} |"


if __name__ == "__main__":
    main()
