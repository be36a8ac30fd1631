"""What is said of a document: to whom it matters, and what to type."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.clients.judge import judge
from rotator.clients.lookups import Consumer
from rotator.core.docker_entry import DOCKER_HUB
from tests.clients.examples import EXAMPLES, HOST, Example, entry
from tests.clients.table import PAGE, page
from tests.support import missing

ONLY_VARIABLE = {Consumer.DOCKER_VARIABLE}
READERS = {Consumer.RUNNER, Consumer.DOCKER_FILE, Consumer.CONTAINERS}


def problems(text: str) -> list[tuple[str, str, set[Consumer]]]:
    """Return what is said of a document."""
    return [(each.what, each.todo, {*each.consumers}) for each in judge(text).problems]


def document(auths: dict[str, Any] | None = None, **top: Any) -> str:
    """Return a document with a good entry and more."""
    return json.dumps({"auths": {HOST: entry(), **(auths or {})}, **top})


def test_the_documentation_has_the_table_of_now() -> None:
    """What the page says is what the rules say: `python -m tests.clients.table` writes it."""
    assert PAGE.read_text() == page(PAGE.read_text())


def test_a_plain_document_has_no_problem() -> None:
    """The form that rotator publishes."""
    assert problems(json.dumps({"auths": {HOST: entry(), DOCKER_HUB: entry()}})) == []


@pytest.mark.parametrize(
    ("text", "words", "todo", "consumers"),
    [
        (document({"n": {}}), "n has no `auth`", "del(.auths.n)", ONLY_VARIABLE),
        (document({"n": {"identitytoken": "x"}}), "`identitytoken` beside", "move", ONLY_VARIABLE),
        (document({"n": entry(email="a")}), "`email` beside", "del(.auths.n.email)", ONLY_VARIABLE),
        (document(HttpHeaders={"X": "1"}), "`HttpHeaders` stands beside", "del(.HttpHeaders)",
         ONLY_VARIABLE),
        (document(credHelpers={"n": "ecr-login"}), "docker-credential-ecr-login for n",
         "del(.credHelpers.n)", READERS),
        (document(credsStore="pass"), "docker-credential-pass for every registry",
         "del(.credsStore)", {Consumer.RUNNER, Consumer.DOCKER_FILE}),
        (document(psFormat=1), "`psFormat` is not a string", "del(.psFormat)",
         set(Consumer) - {Consumer.CONTAINERS}),
        (document(HttpHeaders={"X": 1}), "is not an object of strings", "del(.HttpHeaders)",
         set(Consumer) - {Consumer.CONTAINERS}),
        (document(proxies={"default": "x"}), "`proxies` is not an object of objects",
         "del(.proxies)", set(Consumer) - {Consumer.CONTAINERS}),
        (document({"n": {"auth": "?"}}), "n can't be decoded", "del(.auths.n)",
         set(Consumer) - {Consumer.CONTAINERS}),
        (document(currentContext="x"), "`currentContext` names", "del(.currentContext)",
         {Consumer.DOCKER_FILE}),
        (document({f"https://{HOST}": entry("b")}), "are one registry", f"keep {HOST}",
         set(Consumer)),
        (json.dumps({"auths": {"docker.io": entry()}}), "is not how", f"name it {DOCKER_HUB}",
         {Consumer.DOCKER_FILE, Consumer.DOCKER_VARIABLE}),
        (json.dumps({"auths": {HOST.upper(): entry()}}), "is not how", f"name it {HOST}",
         set(Consumer) - {Consumer.RUNNER}),
        (document({f"{HOST}/team": entry("b")}), "ignores keys with a path", "one login",
         {Consumer.DOCKER_FILE, Consumer.DOCKER_VARIABLE}),
        (json.dumps({"auths": {f"{HOST}/a": entry(), f"{HOST}/b": entry()}}), "at random",
         "one login", {Consumer.DOCKER_FILE, Consumer.DOCKER_VARIABLE}),
        (json.dumps({"auths": {f"{HOST}/a": entry()}}), "does not find it", "one login",
         ONLY_VARIABLE),
        (document() + " x", "stands after the document", "last brace",
         {Consumer.DOCKER_VARIABLE, Consumer.CONTAINERS}),
        ("\ufeff{}", "byte order mark", "write it again", set(Consumer)),
        ("", "it is empty", "run-once", set(Consumer)),
    ],
)  # fmt: skip
def test_a_problem_names_whom_it_concerns_and_what_to_type(
    text: str, words: str, todo: str, consumers: set[Consumer]
) -> None:
    """One line a kind of problem."""
    found = [one for one in problems(text) if words in one[0]]
    assert found, problems(text)
    assert todo in found[0][1]
    assert found[0][2] == consumers


def test_problems_are_those_of_the_programs_asked_for() -> None:
    """A field that breaks a variable only is none of a file's problems."""
    text = document(HttpHeaders={"X": "1"})
    assert judge(text, [Consumer.DOCKER_FILE, Consumer.RUNNER]).problems == ()
    assert judge(text, [Consumer.DOCKER_VARIABLE]).problems


def test_two_spellings_are_judged_one_by_one() -> None:
    """Docker takes the exact key whatever the other one is, GitLab Runner the lowest key."""
    text = json.dumps({"auths": {f"https://{HOST}": entry("other"), HOST: entry()}})
    verdicts = judge(text).verdicts[HOST]
    other = verdicts.pop(Consumer.RUNNER)
    assert {verdict.key for verdict in verdicts.values() if verdict.taken} == {HOST}
    assert (other.taken, other.key) == (False, f"https://{HOST}")
    assert "is used instead" in other.why


@pytest.mark.parametrize("key", ["n", "n.example.com", "it's", 'q"q'])
def test_what_is_to_be_typed_works(key: str) -> None:
    """`jq` with the words of the hint takes the entry out, in a shell."""
    if shutil.which("jq") is None:
        missing("jq", "apt-get install jq")
    text = document({key: {"auth": "?"}})
    command = judge(text).problems[0].todo.removeprefix("take it out: ")
    done = subprocess.run(
        ["sh", "-c", command], input=text, capture_output=True, text=True, check=True, timeout=10
    )
    assert set(json.loads(done.stdout)["auths"]) == {HOST}


def test_no_secret_is_said() -> None:
    """No verdict and no problem holds a part of a login."""
    for example in EXAMPLES:
        found = judge(example.text, registries=[example.registry])
        said = repr(found)
        assert "s3cr3t" not in said
        assert "Z29vZDpz" not in said  # how each `auth` here begins


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_a_refusal_has_its_reason(example: Example) -> None:
    """Whoever takes nothing is said to, and why."""
    for verdict in (
        judge(example.text, registries=[example.registry]).verdicts[example.registry].values()
    ):
        assert verdict.taken == (not verdict.why)
        assert not (verdict.taken and verdict.at_random)


@given(st.text(max_size=60) | st.sampled_from([one.text for one in EXAMPLES]), st.data())
def test_any_text_is_judged(text: str, data: st.DataObject) -> None:
    """Whatever is in a document, and wherever it is cut, there is a verdict and no exception."""
    cut = data.draw(st.integers(0, len(text)))
    for part in (text, text[:cut], text[cut:]):
        assert judge(part, registries=[HOST]).verdicts[HOST]
