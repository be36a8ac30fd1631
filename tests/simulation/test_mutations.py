"""The mutations fit the code as it is: each can be made, and what it makes is Python."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.simulation.mutations import MUTATIONS

if TYPE_CHECKING:
    from tests.simulation.mutations.mutation import Mutation

PACKAGE = Path(__file__).parents[2] / "rotator"


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutation_can_be_made(mutation: Mutation) -> None:
    """Its text is there exactly once: whoever edits it puts the new text into the list."""
    code = (PACKAGE / mutation.file).read_text()
    assert code.count(mutation.old) == 1
    mutated = code.replace(mutation.old, mutation.new)
    assert mutated != code
    compile(mutated, mutation.file, "exec")


def test_a_name_means_one_mutation() -> None:
    """`make simulate-mutants` is asked for some of them by their names."""
    assert [name for name, count in Counter(m.name for m in MUTATIONS).items() if count > 1] == []
