"""Upgrades: what an earlier version left behind is read and kept; a downgrade is refused."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.site import PROGRAM
from tests.fixtures.installation import GROUP, VERSION_2, Installation
from tests.fixtures.version_0_1_0 import run_0_1_0
from tests.support import MARKED

if TYPE_CHECKING:
    from collections.abc import Iterator

FIXTURES = Path(__file__).parents[1] / "fixtures"
EARLIER = sorted(path.name for path in FIXTURES.iterdir() if (path / "made_at").exists())
TIME = re.compile(r"\b(?!9999)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)")
SERIES = re.compile(r"^(rotator_\w+)(?:\{(.*)\})? ", re.MULTILINE)
AGO = timedelta(minutes=20)
"""How old what is put back looks: more than a poll, less than what is left of any credential."""


@pytest.fixture(params=EARLIER)
def saved(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Give what a version left behind, for this place, as if it had been 20 minutes ago."""
    source, copy = FIXTURES / request.param, tmp_path / "saved"
    made = datetime.fromisoformat((source / "made_at").read_text().strip())
    later = datetime.now(UTC).replace(microsecond=0) - AGO - made

    def moved(match: re.Match[str]) -> str:
        unit = "microseconds" if "." in match[0] else "seconds"
        new = (datetime.fromisoformat(match[0]) + later).isoformat(timespec=unit)
        return new.replace("+00:00", "Z")

    for path in source.rglob("*"):
        if path.is_file():
            place = copy / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            text = path.read_text().replace("@PLACE@", str(tmp_path))
            place.write_text(TIME.sub(moved, text))
    return copy


@pytest.fixture
def site(saved: Path, tmp_path: Path) -> Iterator[Installation]:
    """Give the installation as that version left it, its servers up."""
    with Installation(tmp_path) as installation:
        installation.put_documents(json.loads((saved / "documents.json").read_text()))
        installation.put_state(saved)
        yield installation


def rotations(output: str) -> dict[str, Any]:
    """Return what a command's JSON says, by the rotation's name."""
    return {one["name"]: one for one in json.loads(output)["rotations"]}


def test_the_configuration_is_right(site: Installation) -> None:
    """Not a word about a key that a later version knows better."""
    done = site.rotator("check", "--offline")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_journal_is_read(site: Installation, saved: Path) -> None:
    """Credentials, ends and failures are known as they were, and nothing is set aside."""
    then, now = (
        rotations(text)
        for text in (
            (saved / "status.json").read_text(),
            site.rotator("status", "--json").stdout,
        )
    )
    for name, rotation in then.items():
        for part, keys in (
            ("credentials", ("registry", "fingerprint", "expires_at", "failures", "reason")),
            ("targets", ("name", "fingerprint", "expires_at", "reason")),
        ):
            for before, after in zip(rotation[part], now[name][part], strict=True):
                assert {key: after[key] for key in keys} == {key: before[key] for key in keys}
    assert not list((site.place / "state").glob("*.set-aside"))


def test_what_is_fresh_stays(site: Installation) -> None:
    """The first run after the upgrade fetches what failed before, and leaves alone the rest."""
    before = site.documents()
    made, puts = site.rabbitmq.made, site.gitlab.count("PUT", "variables")
    done = site.rotator("run-once", "--only-due", "--json")
    found = rotations(done.stdout)
    after = site.documents()

    assert done.returncode == 0, done.stdout
    for name in ("leased", "hidden", "login"):
        assert {target["outcome"] for target in found[name]["targets"]} == {"unchanged"}
    # What could not be renewed before the upgrade is now; nobody else has to do with it.
    assert site.ecr.calls == 1
    assert site.rabbitmq.made == made
    assert after["files"]["queue/config.json"] == before["files"]["queue/config.json"]
    changed = {
        one["key"] for one in after["gitlab"] if one not in before["gitlab"]
    }  # the variable with ECR's entry
    assert changed <= {"DOCKER_AUTH_CONFIG"}
    assert site.gitlab.count("PUT", "variables") - puts == len(changed)
    assert not list((site.place / "state").glob("*.set-aside"))
    retired = json.loads((site.place / "state/leased.json").read_text())["retired"]
    assert len(retired) == 1, "the lease to be revoked later is forgotten"


def test_the_marks_are_read(site: Installation) -> None:
    """A rotator without that journal adopts what is published instead of fetching again."""
    for path in (site.place / "state").iterdir():
        path.unlink()
    made, before = site.rabbitmq.made, site.documents()["files"]["queue/config.json"]
    done = site.rotator("run-once", "--only-due", "leased")
    assert done.returncode == 0, done.stdout
    assert site.rabbitmq.made == made
    assert site.documents()["files"]["queue/config.json"] == before


def test_other_entries_survive(site: Installation) -> None:
    """Each document still has the registries that it had."""

    def registries() -> dict[str, set[str]]:
        documents = site.documents()
        texts = {
            **{path: file["text"] for path, file in documents["files"].items()},
            "configmap": documents["kubernetes"]["configmaps"]["data"]["config.json"],
            "vault": documents["vault"][VERSION_2]["config.json"],
            **{
                f"{GROUP}/{one['key']}": one["value"]
                for one in documents["gitlab"]
                if "AUTH_CONFIG" in one["key"]
            },
        }
        return {where: set(json.loads(text)["auths"]) for where, text in texts.items()}

    before = registries()
    site.rotator("run-once")
    assert registries() == before


def test_the_metrics_are_there(site: Installation, saved: Path) -> None:
    """Each series that dashboards and alerts may ask for has its name and its labels still."""

    def series(text: str) -> set[tuple[str, tuple[str, ...]]]:
        return {
            (name, tuple(sorted(re.findall(r'(\w+)="', labels))))
            for name, labels in SERIES.findall(text)
        }

    site.ecr.trouble = "no_token"
    site.kubernetes.deny = "the cluster is frozen"
    site.rotator("run-once")
    now = series((site.place / "metrics.prom").read_text())
    assert series((saved / "metrics.prom").read_text()) - now == set()


@pytest.mark.parametrize("words", [("run",), ("run-once",)], ids=" ".join)
def test_a_downgrade_is_refused(site: Installation, words: tuple[str, ...]) -> None:
    """A journal of a newer version stays as it is, and the sentence says what to do."""
    journal = site.place / "state/dind.json"
    newer = {**json.loads(journal.read_text()), "version": 99, "unknown": [1]}
    journal.write_text(json.dumps(newer))
    done = site.rotator(*words)
    assert done.returncode == 2
    assert f"{journal} was written by a newer rotator" in done.stderr
    assert f"mv {journal} {journal}.newer" in done.stderr
    assert json.loads(journal.read_text()) == newer


def test_going_back_to_0_1_0(tmp_path: Path) -> None:
    """0.1.0 says that a newer rotator wrote the journal, keeps it aside, and fetches again."""
    login = {"auths": {"registry.example.com": {"username": "ci", "password": f"{MARKED}back"}}}
    (tmp_path / "login.json").write_text(json.dumps(login))
    for folder in ("state", "published"):
        (tmp_path / folder).mkdir(mode=0o700)
    rotation = {
        "name": "first",
        "prove": "off",
        "sources": [{"type": "docker_config", "path": str(tmp_path / "login.json")}],
        "targets": [{"type": "file", "path": str(tmp_path / "published/config.json")}],
    }
    document = {"version": 1, "state_dir": str(tmp_path / "state"), "rotations": [rotation]}
    (tmp_path / "rotator.yaml").write_text(json.dumps(document))
    words = ("--config", tmp_path / "rotator.yaml", "run-once")
    subprocess.run([PROGRAM, *words], check=True, capture_output=True)
    journal = (tmp_path / "state/first.json").read_text()

    done = run_0_1_0(*words)
    assert done.returncode == 0, done.stderr
    assert "a newer rotator wrote it (version 2)" in done.stderr
    assert (tmp_path / "state/first.json.1.set-aside").read_text() == journal
    published = json.loads((tmp_path / "published/config.json").read_text())
    assert published["auths"].keys() == login["auths"].keys()
