"""Whatever stands in a journal, a target or its mark: a cycle reports, and loses nothing."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from rotator.config.schema import LogSettings
from rotator.core.docker_config import decode
from rotator.core.errors import DriverError
from rotator.core.mark import EXPIRES, FINGERPRINT, ROTATION, from_annotations
from rotator.core.model import Mark
from rotator.core.record import Record, RecordError
from rotator.gitlab.mark import describe, parse
from rotator.observe.logs import configure
from rotator.system.journal import FileJournal
from tests.fuzz.stub import DAMAGE, FUZZ, NASTY, ODD, damaged, dumped, json_with
from tests.unit.core.builders import HOST, Site, down, site

if TYPE_CHECKING:
    from pathlib import Path

    from rotator.core.report import Report

TIMES = ["2026-11-23T10:00:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1e30", 10**12]
NAMES = ["auths", HOST, f"https://{HOST}/", "auth", "username", "password", "credHelpers"]
MARKS = st.fixed_dictionaries(
    {
        EXPIRES: st.text(max_size=30)
        | st.dictionaries(st.sampled_from([HOST, "other", ""]), st.sampled_from(TIMES + ODD)).map(
            json.dumps
        ),
        FINGERPRINT: st.text(max_size=20),
        ROTATION: st.text(max_size=20),
    }
)


def ran(here: Site) -> Report:
    """Run a cycle, and use its report as everybody does who tells it."""
    report = here.cycle()
    json.dumps(report.as_json()).encode()
    log = configure(_quiet())
    log.debug("cycle", report=report.as_json())
    Record.parse(here.record.dump())
    return report


def _quiet() -> Any:
    return LogSettings(level="error")


def _record() -> dict[str, Any]:
    """Return what the journal says after some good cycles, and one that failed."""
    here = site()
    here.cycle()
    here.source.broken = down()
    here.after(7 * 3600)
    document: dict[str, Any] = json.loads(here.record.dump())
    return document


RECORD = _record()


def _journal(folder: Path, here: Site) -> FileJournal:
    journal = FileJournal(folder, here.rotation.name, lambda _: None)
    here.journal = journal  # type: ignore[assignment]
    return journal


@FUZZ
@given(DAMAGE, st.sampled_from(TIMES), st.integers(0, 60))
@example([], "2026-11-23T10:00:00", 0)
def test_any_damage_in_the_journal(
    tmp_path: Path, damage: list[tuple[int, Any]], time: Any, which: int
) -> None:
    """A journal in which something else stands costs a renewal at most."""
    document = damaged(RECORD, damage)
    text = json.dumps(document)
    stamps = [one for one in sorted(set(text.split('"'))) if one[:4] == "2026"]
    if stamps:
        text = text.replace(f'"{stamps[which % len(stamps)]}"', json.dumps(time))
    here = site()
    _journal(tmp_path, here)
    (tmp_path / f"{here.rotation.name}.json").write_text(text)
    ran(here)
    # It may say, wrongly, that everything has to wait: whoever is impatient gets it at once.
    assert here.cycle(force=True).outcome == "rotated"
    assert HOST in here.place.document.logins()


@pytest.mark.parametrize("body", NASTY.values(), ids=NASTY)
def test_nasty_journals(tmp_path: Path, body: bytes) -> None:
    """A journal that means harm is set aside, or taken for what it is."""
    here = site()
    _journal(tmp_path, here)
    (tmp_path / f"{here.rotation.name}.json").write_bytes(body)
    (tmp_path / "fingerprint.key").write_bytes(body)
    assert ran(here).outcome == "rotated"


@FUZZ
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_a_record_or_none(content: bytes) -> None:
    """The reader of records knows one error."""
    try:
        text = content.decode()
        Record.parse(text)
    except (RecordError, UnicodeDecodeError):
        return


@FUZZ
@given(json_with(NAMES).map(json.dumps) | st.text(max_size=60), st.none() | MARKS)
@example('{"auths":{"\\ud800":{"auth":"?"}}}', None)
@example('{"auths":{"\\u001b[2J":{"auth":"?"}}}', None)
def test_any_document_with_any_mark(text: str, annotations: dict[str, Any] | None) -> None:
    """A document of somebody else is merged into, or left byte for byte as it is."""
    here = site()
    here.place.text = text
    here.place.mark = from_annotations(annotations) if annotations else None
    try:
        config = decode(text)
        others = {k: v for k, v in config.rest.items() if k not in config.mistyped()}
    except DriverError:
        others = None if text.strip() else {}  # an empty one holds nothing that could be lost
    report = ran(here)
    if others is None:
        assert here.place.text == text
        assert report.outcome == "failed"
    else:
        assert HOST in here.place.document.logins()
        assert here.place.document.rest == others


@FUZZ
@given(MARKS, st.booleans())
def test_any_mark_on_what_works(annotations: dict[str, Any], ours: bool) -> None:  # noqa: FBT001  drawn
    """A mark that lies about a working document costs a renewal at most."""
    here = site()
    here.cycle()
    mark = from_annotations(annotations)
    if mark is not None and ours and here.place.mark is not None:
        mark = replace(mark, fingerprint=here.place.mark.fingerprint)
    here.place.mark = mark
    here.lose_journal()
    assert ran(here).outcome in {"rotated", "fresh"}
    here.world.pass_time(timedelta(days=1).total_seconds())
    assert ran(here).outcome == "rotated"


@FUZZ
@given(st.text(max_size=255), st.sampled_from(["", "until ", "mark ", "without a known end: "]))
@example("until 0001-01-01T00:00:00+14:00: a", "")
def test_any_description(text: str, word: str) -> None:
    """What people write into a GitLab variable's description is a mark, or none."""
    for written in (text, f"Kept fresh by rotator (x) {word}{text}; {word}{text}"):
        mark = parse(written)
        if isinstance(mark, Mark):
            assert len(describe(mark)) <= 255


@FUZZ
@given(json_with(NAMES))
def test_any_json_is_a_docker_config_or_malformed(value: object) -> None:
    """The decoder knows one error, and what it gives can be asked for logins and warnings."""
    try:
        config = decode(dumped(value).decode())
    except DriverError:
        return
    config.warnings()
    for username, password in config.logins().values():
        f"{username}:{password.reveal()}".encode()
