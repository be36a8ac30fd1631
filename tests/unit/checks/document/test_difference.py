"""What a document lacks, and what in it clients don't take."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support import MARKED
from tests.unit.checks.described import HARBOR, levels, the
from tests.unit.checks.document.documents import GOOD, NEW, OLD, document, reported

if TYPE_CHECKING:
    from pathlib import Path

    from rotator.inspection import Case


def test_entry_that_nobody_decodes(known: Case) -> None:
    """A broken entry is named twice: as itself, and for what it does to others."""
    text = json.dumps({"auths": {"bad.example.com": {"auth": f"{MARKED}not base64"}}})
    found = reported(text, known)
    the(found, "failure", "no client can decode this entry")
    the(found, "warning", "loses other entries")
    found = reported(
        json.dumps({"auths": {**json.loads(GOOD)["auths"], "bad.example.com": {"auth": "x"}}}),
        known,
    )
    the(found, "failure", "loses other entries")


def test_difference(known: Case) -> None:
    """What is configured and missing comes first, with what this very document calls for."""
    found = reported("{}", known)
    the(found, "failure", "1 configured: 0 there, 1 missing; 0 more in it")
    missing = the(found, "failure", "configured (rotation dind) and missing")
    assert "the file publishes it now" in missing.found
    assert "which file or variable the job reads" in missing.todo
    assert missing.about == HARBOR
    found = reported(document(harbor=NEW, other=NEW), known)
    the(found, "ok", "1 configured: 1 there, 0 missing; 1 more in it")


def test_missing_everywhere(known: Case, tmp_path: Path) -> None:
    """Where no target has it either, a cycle is what helps."""
    (tmp_path / "docker" / "config.json").unlink()
    missing = the(reported(document(other=NEW), known), "failure", "no target publishes it now")
    assert missing.todo == "rotator run-once dind"


@pytest.mark.parametrize(
    ("entry", "level", "words"),
    [
        ({"auth": "", "registrytoken": f"{MARKED}t"}, "ok", "with registrytoken"),
        ({}, "warning", "an empty entry"),
        (None, "warning", "an empty entry"),
    ],
    ids=["registry token", "empty", "null"],
)
def test_entries_without_a_login(known: Case, entry: object, level: str, words: str) -> None:
    """Docker takes them: they are not broken, and break nothing beside them."""
    text = json.loads(GOOD)
    text["auths"]["else.example.com"] = entry
    found = reported(json.dumps(text), known)
    the(found, level, words)
    the(found, "warning", "ignores the whole variable")
    assert not [f for f in found if f.level == "failure"], levels(found)
    text["auths"] = {HARBOR: {}}
    the(reported(json.dumps(text), known), "failure", "its entry is empty")


def test_an_identity_token_is_judged_by_its_registry(known: Case) -> None:
    """It is a login as any other, and is shown as an identity token."""
    text = json.loads(GOOD)
    text["auths"]["else.example.com"] = {"identitytoken": f"{MARKED}t"}
    found = reported(json.dumps(text), known)
    assert [f.about for f in found if f.level == "failure"] == ["else.example.com"]
    assert not [f for f in found if "broken" in f.found]


def test_another_spelling(known: Case) -> None:
    """A key with a scheme is found by some clients only."""
    text = json.loads(GOOD)
    text["auths"] = {f"https://{HARBOR}/v1/": text["auths"][HARBOR]}
    found = the(reported(json.dumps(text), known), "warning", "not how every program names")
    assert HARBOR in found.todo


@pytest.mark.parametrize(
    ("top", "level", "words"),
    [
        ({"credsStore": "pass"}, "failure", "docker-credential-pass"),
        ({"psFormat": 1}, "failure", "`psFormat` is not a string"),
        ({"HttpHeaders": {"X": "y"}}, "warning", "ignores the whole variable"),
        ({"credHelpers": {"a.example.com": "x"}}, "warning", "docker-credential-x"),
        ({"credHelpers": {HARBOR: "x"}}, "failure", "docker-credential-x"),
    ],
)
def test_what_stands_beside_the_logins(
    known: Case, top: dict[str, object], level: str, words: str
) -> None:
    """What Docker itself does not take is a failure; what only some programs refuse is not."""
    the(reported(json.dumps({**json.loads(GOOD), **top}), known), level, words)


def test_two_spellings(known: Case) -> None:
    """They are judged one by one, and it is said which one to keep."""
    auths = json.loads(GOOD)["auths"]
    other = json.loads(document(harbor=OLD))["auths"][HARBOR]
    text = json.dumps({"auths": {**auths, f"https://{HARBOR}": other}})
    assert f"keep {HARBOR}" in the(reported(text, known), "warning", "are one registry").todo


def test_several_paths(known: Case) -> None:
    """Docker takes one of them at random."""
    entry = json.loads(GOOD)["auths"][HARBOR]
    other = json.loads(document(harbor=OLD))["auths"][HARBOR]
    text = json.dumps({"auths": {f"{HARBOR}/a": entry, f"{HARBOR}/b": other}})
    assert "one login" in the(reported(text, known), "failure", "at random").todo
