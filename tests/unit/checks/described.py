"""Rotations described as in a configuration file, and what is found about them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rotator.checks.run import examine
from rotator.config.schema import Configuration, RotationSettings
from rotator.core.model import Proof, Verdict
from rotator.core.record import Record
from rotator.inspection import Case
from rotator.observe.progress import Progress
from rotator.system.journal import FileJournal
from tests.support import MARKED, NOW, made

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rotator.core.model import Credential
    from rotator.inspection import Finding

HARBOR = "harbor.example.com"


def clock() -> datetime:
    """Return the time, as servers that are real have it."""
    return datetime.now(UTC)


def look(place: Path, *rotations: dict[str, Any], consume: bool = False) -> list[Finding]:
    """Return what `check` finds about these rotations; their state is kept in `place`."""
    configuration = made(Configuration, version=1, state_dir=place / "state", rotations=rotations)
    found = examine(configuration, configuration.rotations, clock, Progress(), consume=consume)
    every = [each for one in found for each in one.every]
    assert not [each.bug for each in every if each.bug]
    findings = [finding for each in every for finding in each.all]
    assert MARKED not in str(findings), "a secret was told"
    return findings


def rotation(sources: Sequence[Any], targets: Sequence[Any], **more: Any) -> dict[str, Any]:
    """Return a rotation as the configuration has it."""
    return {"name": "dind", "sources": list(sources), "targets": list(targets), **more}


def login_file(place: Path, registry: str = HARBOR) -> dict[str, Any]:
    """Return a source that always gives a login, from a file in `place`."""
    path = place / "login.json"
    path.write_text(f'{{"auths":{{"{registry}":{{"auth":"dTpzM2NyM3QtcA=="}}}}}}')
    return {
        "type": "docker_config",
        "name": "login",
        "path": str(path),
        "registries": [registry],
    }


def file_target(place: Path, **more: Any) -> dict[str, Any]:
    """Return a file target in a directory of its own."""
    (place / "docker").mkdir(mode=0o755, exist_ok=True)
    return {
        "type": "file",
        "name": "the file",
        "path": str(place / "docker" / "config.json"),
        **more,
    }


def remember(place: Path, record: Record, name: str = "dind") -> FileJournal:
    """Let the journal hold this record; return the journal, for its fingerprints."""
    journal = FileJournal(place / "state", name, print)
    journal.fingerprint("makes the key")
    journal.save(record)
    return journal


def case(settings: dict[str, Any], record: Record | None = None, **more: Any) -> Case:
    """Return a case in which every registry accepts everything."""
    return Case(
        made(RotationSettings, **settings),
        record or Record(),
        lambda: NOW,
        more.pop("prove", accept),
        **more,
    )


def accept(credential: Credential) -> Proof:
    """Accept any credential."""
    return Proof(Verdict.ACCEPTED)


def levels(findings: Sequence[Finding], about: str = "") -> list[str]:
    """Return the findings as `level: found`, all or those about one thing."""
    return [f"{f.level}: {f.found}" for f in findings if about in ("", f.about)]


def the(findings: Sequence[Finding], level: str, words: str) -> Finding:
    """Return the one finding of this level with these words in it."""
    fitting = [f for f in findings if f.level == level and words in f.found]
    assert len(fitting) == 1, levels(findings)
    return fitting[0]


def bad(findings: Sequence[Finding]) -> list[str]:
    """Return what is not ok."""
    return [f"{f.level}: {f.found}" for f in findings if f.level != "ok"]
