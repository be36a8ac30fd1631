"""Where a command runs: here, as the installed unit does, or not at all."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest

from rotator.commands.in_unit import Place, Way, this_place

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("root", "inside"), list(product([False, True], repeat=2)))
def test_without_the_unit_or_its_configuration_it_runs_here(root: bool, inside: bool) -> None:  # noqa: FBT001  a case
    """A container, a checkout, a configuration of one's own: nothing is different there."""
    for installed, own in ((False, True), (True, False), (False, False)):
        assert Place(root, installed, inside, own).way() is Way.HERE


def test_on_a_host_with_the_unit() -> None:
    """Root's command runs as the unit does, the unit's own here, anybody else's not at all."""
    assert Place(root=True, installed=True, inside=False, own=True).way() is Way.IN_UNIT
    assert Place(root=False, installed=True, inside=False, own=True).way() is Way.NOT_AT_ALL
    assert Place(root=False, installed=True, inside=True, own=True).way() is Way.HERE
    assert Place(root=True, installed=True, inside=True, own=True).way() is Way.HERE


def test_another_configuration_is_none_of_the_units(tmp_path: Path) -> None:
    """Nothing else has to be looked at then."""
    assert this_place(tmp_path / "rotator.yaml").own is False
