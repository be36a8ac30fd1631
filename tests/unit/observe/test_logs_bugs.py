"""What is told of a bug: where it happened, and never what an error's own words quote."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
import pytest

from rotator.cli import cli, main
from rotator.config.schema import LogSettings
from rotator.core.failure import Failure
from rotator.core.report import TargetReport
from rotator.observe.logs import configure, log_from_threads, without_values
from rotator.observe.report_log import ReportLog
from tests.support import MARKED
from tests.unit.observe.heard import report

if TYPE_CHECKING:
    from collections.abc import Callable


def fail(password: str) -> None:
    """Fail as code that meets what it did not expect, on a password."""
    try:
        int(password)
    except ValueError:
        {}[password]
    raise AssertionError


def bug() -> KeyError:
    """Return an exception that quotes a secret, as does the one that it came from."""
    with pytest.raises(KeyError) as caught:
        fail(f"{MARKED}x")
    return caught.value


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_bug_has_its_traceback_without_values(
    capsys: pytest.CaptureFixture[str], form: Literal["json", "console"]
) -> None:
    """Where it happened is told; what variables held, and errors quote of them, is not."""
    log = configure(LogSettings(level="info", format=form))
    ReportLog(log).write(
        report(sources=(), targets=(TargetReport("a", "failed", failure=Failure.of(bug())),))
    )
    text = capsys.readouterr().err
    assert MARKED not in text
    assert text.index("int(password)") < text.index("ValueError")
    assert text.index("{}[password]") < text.rindex("KeyError")


@pytest.mark.parametrize(
    ("fails", "words"),
    [
        (lambda: None.nothing, "AttributeError: 'NoneType' object has no"),  # type: ignore[attr-defined]
        (lambda: Path("/nowhere/x").stat(), "FileNotFoundError: No such file or directory"),
        (lambda: json.loads("{"), "json.decoder.JSONDecodeError"),
    ],
)
def test_what_quotes_nothing_is_logged(fails: Callable[[], object], words: str) -> None:
    """What says what to mend and holds no value stays."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  each its own
        fails()
    assert without_values(caught.value).splitlines()[-1].startswith(words)


def test_a_thread_that_ends_by_a_bug(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a line of the log as any other."""
    monkeypatch.setattr(threading, "excepthook", None)
    log_from_threads(configure(LogSettings(format="json")))
    thread = threading.Thread(target=fail, args=(f"{MARKED}x",))
    thread.start()
    thread.join()
    text = capsys.readouterr().err
    assert MARKED not in text
    assert json.loads(text)["level"] == "error"
    assert "KeyError" in text


def test_a_command_that_ends_by_a_bug(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says that it is one, where it is, and ends with exit code 1."""
    broken = click.Command("broken", callback=lambda: fail(f"{MARKED}x"))
    monkeypatch.setitem(cli.commands, "broken", broken)
    monkeypatch.setattr(sys, "argv", ["rotator", "broken"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    text = capsys.readouterr().err
    assert MARKED not in text
    assert "this is a bug in rotator" in text
    assert "{}[password]" in text
