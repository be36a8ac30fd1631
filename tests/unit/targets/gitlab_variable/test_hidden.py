"""A GitLab variable whose value nobody can read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rotator.core.model import Held
from rotator.gitlab.mark import describe
from tests.fakes.gitlab_access import Variable
from tests.unit.targets.gitlab_variable.variable import DOCUMENT, GROUP, KEY, MARK, NEWER, only

if TYPE_CHECKING:
    from collections.abc import Callable

    from rotator.targets.gitlab_variable import GitlabVariableTarget
    from tests.fakes.gitlab import FakeGitlab

    Make = Callable[..., GitlabVariableTarget]


def test_hidden_is_withheld_and_still_written(make: Make, fake_gitlab: FakeGitlab) -> None:
    """A hidden variable tells its mark, not its value, and is updated without a word on masking."""
    hidden = Variable(KEY, DOCUMENT.reveal(), masked=True, hidden=True, description=describe(MARK))
    fake_gitlab.space(GROUP).variables.append(hidden)
    target = make()
    held = target.read()
    assert (held.text, held.withheld, held.mark) == (None, True, MARK)
    held = target.write(NEWER, MARK, held)
    assert (held.text, held.withheld) == (None, True)
    assert only(fake_gitlab).value == NEWER.reveal()
    assert "masked" not in fake_gitlab.calls[-1].body


def test_nothing_there_is_not_withheld(make: Make) -> None:
    """A variable that does not exist is nothing, which is not the same as hidden."""
    assert make().read() == Held(None)


def test_made_hidden(make: Make, fake_gitlab: FakeGitlab) -> None:
    """`masked_and_hidden` counts when the variable is made; later writes say nothing of it."""
    target = make(masked_and_hidden=True)
    held = target.write(DOCUMENT, MARK, target.read())
    assert only(fake_gitlab).hidden
    assert (held.text, held.withheld, held.mark, held.notes) == (None, True, MARK, ())
    target.write(NEWER, MARK, target.read())
    assert only(fake_gitlab).value == NEWER.reveal()
    assert "masked_and_hidden" not in fake_gitlab.calls[-1].body


@pytest.mark.parametrize("why", ["old GitLab", "visible before"])
def test_not_hidden_is_said(make: Make, fake_gitlab: FakeGitlab, why: str) -> None:
    """Where GitLab can't hide it, it is masked at least, and the note says what to do."""
    if why == "old GitLab":
        fake_gitlab.version = (17, 3)
    else:
        fake_gitlab.space(GROUP).variables.append(Variable(KEY, "{}"))
    target = make(masked_and_hidden=True)
    held = target.write(DOCUMENT, MARK, target.read())
    assert only(fake_gitlab).masked
    assert "delete it there" in "".join(held.notes)


def test_a_person_made_it_hidden(make: Make, fake_gitlab: FakeGitlab) -> None:
    """It is withheld from then on, and written all the same: the core decides when."""
    target = make()
    before = target.write(DOCUMENT, MARK, target.read())
    only(fake_gitlab).hidden = True
    held = target.read()
    assert before.text == DOCUMENT
    assert (held.text, held.withheld, held.mark) == (None, True, MARK)
    assert target.write(NEWER, MARK, held).withheld
    assert only(fake_gitlab).value == NEWER.reveal()


@pytest.mark.parametrize("configured", [True, False])
def test_a_hidden_variable_with_somebodys_description_carries_no_mark(
    fake_gitlab: FakeGitlab, make: Make, *, configured: bool
) -> None:
    """Then our journal says what was written, as GitLab has no other place for a mark."""
    hidden = Variable(KEY, DOCUMENT.reveal(), masked=True, hidden=True, description="Ask Ops")
    fake_gitlab.space(GROUP).variables.append(hidden)
    target = make(**({"description": "Ask Ops"} if configured else {}))
    assert target.read().mark is None
    assert not target.marks
    hidden.description = ""
    target.read()
    assert target.marks is not configured
