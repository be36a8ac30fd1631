"""What `check` says of a document that no client can read is what the next cycle does with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rotator.checks.registry import published
from rotator.core.model import Held, Secret
from rotator.core.record import Record, TargetRecord
from rotator.inspection import Findings
from tests.unit.checks.described import case, file_target, login_file, rotation, the

if TYPE_CHECKING:
    from pathlib import Path

RUN = "rotator run-once dind"
VARIABLE = {
    "type": "gitlab_variable",
    "name": "variable",
    "url": "https://gitlab.example.com",
    "group": "g",
    "token_env": "T",
}
NAMESPACES = {"type": "kubernetes_configmap", "namespaces": ["team-*"], "name": "o"}
ASIDE = "the damaged text is stored beside it"
OURS = Record(targets={"variable": TargetRecord(fingerprints=("hmac:0",))})


def look(place: Path, text: str, target: dict[str, Any], record: Record | None = None) -> Findings:
    """Return what is said of a target that holds this."""
    one = case(rotation([login_file(place)], [target]), record)
    findings = Findings("it")
    published(one.rotation.targets[0], Held(Secret(text)), one, findings)
    return findings


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "docker config"),
        ("\ufeff{}", "byte order mark"),
        ("[1]", "docker config"),
        ("/etc/passwd", "it is a path"),
    ],
)
def test_where_the_damaged_text_is_stored(tmp_path: Path, text: str, why: str) -> None:
    """It is a warning: the next cycle repairs it, and nobody is told to delete it."""
    for target in (file_target(tmp_path), NAMESPACES):
        found = the(look(tmp_path, text, target).all, "warning", "no client can read what is there")
        assert why in found.found
        assert ASIDE in found.found
        assert found.todo == RUN


@pytest.mark.parametrize(
    ("text", "record"), [("", None), ('{"auths":{"a.test":{"auth":"dTpw"}}', OURS)]
)
def test_what_needs_no_place(tmp_path: Path, text: str, record: Record | None) -> None:
    """An empty value, and one of ours that was cut off, lose nothing."""
    found = the(look(tmp_path, text, VARIABLE, record).all, "warning", "the next cycle repairs it")
    assert ASIDE not in found.found
    assert found.todo == RUN


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_what_is_held_back(tmp_path: Path, text: str) -> None:
    """Where others' entries would be lost, a person has to decide."""
    found = the(look(tmp_path, text, VARIABLE).all, "failure", "rotator leaves it as it is")
    assert "delete it and rotator makes a new one" in found.todo


def test_replacing(tmp_path: Path) -> None:
    """With `merge: replace` nobody else's entries are to be kept."""
    the(look(tmp_path, "{", {**VARIABLE, "merge": "replace"}).all, "warning", "repairs it")
