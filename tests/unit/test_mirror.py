"""A test lies where its module does: `tests/unit/a/test_b.py` tests `rotator/a/b.py`.

A module with many tests has them by topic: `test_b_topic.py`, or a folder `b/`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

UNIT = Path(__file__).parent
PACKAGE = UNIT.parents[1] / "rotator"
OF_THE_PROJECT = {"architecture", "contributing", "imports", "mirror", "names", "words"}

TESTS = sorted(str(path.relative_to(UNIT)) for path in UNIT.rglob("test_*.py"))


def is_there(test: str) -> bool:
    """Tell whether the module of a test exists."""
    *folders, name = test.replace("test_", "").removesuffix(".py").split("/")
    for depth in range(len(folders) + 1):
        place = PACKAGE.joinpath(*folders[:depth])
        parts = "_".join([*folders[depth:], name]).split("_")
        modules = ["_".join(parts[:count]) for count in range(1, len(parts) + 1)]
        if any((place / f"{module}.py").is_file() for module in modules):
            return True
    return False


@pytest.mark.parametrize("test", TESTS)
def test_it_lies_where_its_module_does(test: str) -> None:
    """Only tests of the project as a whole have no module."""
    whole = test.removeprefix("test_").removesuffix(".py") in OF_THE_PROJECT
    assert whole or is_there(test)


@pytest.mark.parametrize(
    ("test", "there"),
    [
        ("core/test_plan.py", True),
        ("core/test_plan_login_part.py", True),
        ("targets/file/test_access.py", True),
        ("core/test_of_nothing.py", False),
        ("nowhere/test_plan.py", False),
    ],
)
def test_what_counts_as_its_module(test: str, *, there: bool) -> None:
    """The topic may follow the module's name, or be in a folder of it."""
    assert is_there(test) is there
