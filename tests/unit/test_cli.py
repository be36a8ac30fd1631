"""The command line: what every command takes, and how each kind of end is told."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest

from rotator import __main__, __version__
from rotator.cli import cli, main
from rotator.core.errors import ConfigError, LockHeldError
from rotator.signals import ENDING, Interrupted
from tests.fakes.credential_helper import install
from tests.unit.commands.conftest import site

if TYPE_CHECKING:
    from tests.unit.commands.conftest import Site

__all__ = ["site"]


def fail(error: BaseException) -> None:
    """Raise it."""
    raise error


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (click.UsageError("no such thing"), 2, "Error: no such thing"),
        (Interrupted(signal.SIGINT, "a"), 130, "rotator: interrupted by SIGINT: a"),
        (Interrupted(signal.SIGTERM), 143, "by SIGTERM: what was written until then stays"),
        (Interrupted(signal.SIGHUP), 129, "interrupted by SIGHUP: "),
        (click.Abort(), 130, "a question got no answer, so nothing was written"),
        (ConfigError(["a:1:1: wrong"]), 2, "a:1:1: wrong"),
        (LockHeldError("another has it"), 75, "rotator: another has it"),
        (KeyError("s3cr3t-k"), 1, "this is a bug in rotator"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_each_end(
    site: Site, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, said: str
) -> None:
    """The exit code and a line for people, never a traceback with values."""
    monkeypatch.setitem(cli.commands, "x", click.Command("x", callback=lambda: fail(error)))
    done = site.type_alone("x")
    assert (done.code, said in done.err) == (code, True), done.err


def test_a_reader_that_has_gone() -> None:
    """The rest of the output is for nobody: no message, exit code 1."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "rotator", "schema"],
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


def test_the_program(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It prints its version by itself, and leaves the rest to the command line."""
    monkeypatch.setattr(sys, "argv", ["rotator", "--version"])
    __main__.main()
    monkeypatch.setattr(sys, "argv", ["rotator", "--version", "-q"])
    with pytest.raises(SystemExit):
        __main__.main()
    assert capsys.readouterr().out == f"rotator, version {__version__}\n" * 2


def test_the_schema(site: Site) -> None:
    """It is a document."""
    assert site.type_alone("schema").json["$id"]


def test_a_wrong_value(site: Site) -> None:
    """It is named, with exit code 2."""
    done = site.type("run-once", "--wait", "soon")
    assert (done.code, "soon" in done.err) == (2, True)


@pytest.mark.parametrize("seconds", ["nan", "inf", "-1", "1e9", "", "1h"])
def test_a_time_that_is_none(site: Site, seconds: str) -> None:
    """What is allowed is said."""
    done = site.type("run-once", f"--wait={seconds}")
    said = "seconds from 0 to 86400 are wanted, such as --wait 120"
    assert (done.code, said in done.err) == (2, True), done.err


@pytest.mark.parametrize(
    ("words", "level"),
    [(["-q"], "warning"), (["-v"], "debug"), (["-vv"], "debug"), ([], "info")],
)
def test_how_much_is_said(site: Site, words: list[str], level: str) -> None:
    """Before the command's name and after it."""
    for typed in (["run-once", *words], [*words, "run-once"]):
        site.put("s3cr3t-1")
        site.file.unlink(missing_ok=True)
        said = site.type(*typed).err
        assert ('"level": "info"' in said) == (level != "warning")


def test_the_end_in_a_journal_has_its_level(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    """As sd-daemon(3) has it for a stream."""
    with open(f"{tmp_path}/stream", "w+") as stream:  # noqa: PTH123  a plain stream
        about = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{about.st_dev}:{about.st_ino}")
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        monkeypatch.setattr(sys, "argv", ["rotator", "--config", "/nowhere", "check", "--offline"])
        with pytest.raises(SystemExit):
            main()
        stream.seek(0)
        assert stream.read().startswith("<3>")


@pytest.mark.parametrize("number", ENDING)
@pytest.mark.parametrize(
    ("words", "done"),
    [
        (["run-once"], "nothing was written; read file:"),
        (["run-once"], "Not ended: fetch "),
        (["check"], "Not ended: check cred"),
    ],
)
def test_a_signal(
    site: Site, monkeypatch: pytest.MonkeyPatch, words: list[str], done: str, number: int
) -> None:
    """It ends with 128 and the signal's number, and says what was done until then."""
    gate = site.folder / "gate"
    wait = f"until [ -e {gate} ]; do sleep 0.05; done"
    install(site.folder / "bin", "impatient", f"kill -{number} $PPID; {wait}")
    monkeypatch.setenv("PATH", f"{site.folder / 'bin'}:{os.environ['PATH']}")
    source = {"type": "credential_helper", "helper": "impatient", "registries": ["a.example"]}
    site.rotation["sources"] = [source]
    result = site.type(*words)
    gate.touch()
    assert (result.code, done in result.err) == (128 + number, True), result
    assert f"rotator: interrupted by {signal.Signals(number).name}: " in result.err
