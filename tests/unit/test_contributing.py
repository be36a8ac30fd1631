"""CONTRIBUTING.md sends a maintainer to files and functions that are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]

PAGE = (PROJECT / "CONTRIBUTING.md").read_text("utf-8")
SECTION = PAGE.partition("## Where is it decided?")[2].partition("\n## ")[0]
ANSWERS = dict(
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in SECTION.splitlines()
    if line.startswith("| ")
)
QUESTIONS = {question: answer for question, answer in ANSWERS.items() if "?" in question}


def defined(path: Path) -> set[str]:
    """Return the functions, methods and classes of a module, and what it assigns at its top."""
    tree = ast.parse(path.read_text("utf-8"))
    names = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        names |= {target.id for target in targets if isinstance(target, ast.Name)}
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names


def test_there_are_few_questions() -> None:
    """Fourteen of the core; a longer list nobody reads, a shorter one leaves a part out."""
    assert len(QUESTIONS) == 20
    assert sum("`rotator/core/" in answer for answer in QUESTIONS.values()) >= 14


@pytest.mark.parametrize("question", QUESTIONS)
def test_two_files_at_most_answer_a_question(question: str) -> None:
    """Each file exists, and has what the table names in it."""
    files = re.findall(r"`(rotator/[^`]+)` \(([^)]+)\)", QUESTIONS[question])
    assert 1 <= len(files) <= 2
    for path, names in files:
        assert set(re.findall(r"`(\w+)`", names)) <= defined(PROJECT / path), path
