"""`run-once`: what the answers of several cycles come to."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from rotator.commands.run_once import exit_code, sort_out
from rotator.config.schema import LogSettings
from rotator.core.errors import LockHeldError
from rotator.observe.logs import configure
from rotator.observe.report_log import ReportLog
from rotator.system.lock import cycle_lock
from tests.privileges import obey_modes
from tests.unit.commands.conftest import HOST
from tests.unit.observe.heard import report

if TYPE_CHECKING:
    from collections.abc import Callable

    from rotator.core.report import Report
    from tests.unit.commands.conftest import Site


def test_a_cycle_that_crashes_takes_no_other_report_with_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The bug is one line with its traceback; the other rotation is told as usual."""
    report_log, good = ReportLog(configure(LogSettings())), report()
    answers: list[Report | Exception] = [OverflowError("too large"), good]
    assert sort_out(["broken", "good"], answers, report_log) == ([good], False, 1)
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["rotation"], line["reason"]) == ("cycle failed", "broken", "bug")
    assert line["exception"].endswith("OverflowError")


def test_a_lock_of_another_takes_no_report_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    """The other rotation's cycle ran, and is told."""
    report_log, good = ReportLog(configure(LogSettings())), report()
    answers: list[Report | Exception] = [good, LockHeldError("another rotator holds it")]
    assert sort_out(["good", "locked"], answers, report_log) == ([good], True, 0)
    assert "--wait" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("outcomes", "crashed", "code"),
    [
        (["rotated", "fresh", "paused"], 0, 0),
        (["paused"], 0, 0),
        (["failed", "failed", "paused"], 0, 1),
        (["failed", "fresh"], 0, 10),
        (["partial"], 0, 10),
        (["fresh"], 1, 10),
        (["failed"], 1, 1),
        ([], 1, 1),
    ],
)
def test_exit_code(outcomes: list[str], crashed: int, code: int) -> None:
    """A paused rotation counts neither way."""
    reports = [replace(report(), outcome=outcome, job_safe=True) for outcome in outcomes]
    assert exit_code(reports, crashed) == code


def test_a_rotation_that_is_not_job_safe_is_not_fresh() -> None:
    """Except in a dry run, which publishes nothing that could be safe."""
    unsafe = replace(report(), outcome="fresh", job_safe=False)
    assert exit_code([unsafe]) == 10
    assert exit_code([unsafe], dry_run=True) == 0


def test_as_it_is_typed(site: Site) -> None:
    """It publishes, and prints plain lines in a pipe; with -q nothing where all is well."""
    done = site.type("run-once")
    assert done.code == 0
    assert [line.strip() for line in done.out.splitlines()[:3]] == [
        "dind: rotated",
        f"✓ {HOST}: fetched, has no known end",
        f"✓ → file:{site.file}: written",
    ]
    assert '"event": "cycle ended"' in done.err
    assert HOST in site.file.read_text()
    assert site.type("run-once", "-q").out == ""


def test_a_failure_in_plain_lines(site: Site) -> None:
    """What failed, why, what to do, and what a target's note says."""
    site.file.write_text('{"auths":{},"credsStore":"pass"}')
    site.login.unlink()
    done = site.type("run-once", "--wait", "0")
    assert done.code == 1
    assert "To do: " in done.out
    site.put("s3cr3t-2")
    assert "Note: " in site.type("run-once", "--wait", "0").out


def test_a_table_where_the_width_is_known(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a terminal."""
    monkeypatch.setenv("COLUMNS", "100")
    done = site.type("run-once", "-v")
    assert done.code == 0
    assert "✓ dind: rotated" in done.out


def test_a_dry_run(site: Site) -> None:
    """It says what would be written, and writes nothing, no metrics either."""
    site.more["metrics_file"] = str(site.folder / "rotator.prom")
    done = site.type("run-once", "--dry-run", "--json", "--target", f"file:{site.file}")
    assert (done.code, done.json["rotations"][0]["targets"][0]["outcome"]) == (0, "planned")
    assert not site.file.exists()
    assert not (site.folder / "rotator.prom").exists()


def test_the_metrics_file(site: Site) -> None:
    """It covers every rotation of the configuration, also those that were not run."""
    site.more["metrics_file"] = str(site.folder / "rotator.prom")
    other = [{"type": "file", "path": str(site.folder / "docker" / "other.json")}]
    site.write({**site.rotation, "name": "other", "targets": other})
    assert site.type_alone("--config", str(site.config), "run-once", "dind").code == 0
    text = (site.folder / "rotator.prom").read_text()
    assert 'rotator_job_safe{rotation="dind"} 1.0' in text
    assert 'rotator_job_safe{rotation="other"} 0.0' in text
    assert 'rotator_cycles_total{outcome="rotated",rotation="dind"} 1.0' in text


def test_a_metrics_file_that_cannot_be_written(site: Site) -> None:
    """It is said, and the credential is published."""
    site.more["metrics_file"] = str(site.folder / "nowhere" / "rotator.prom")
    done = site.type("run-once")
    assert (done.code, "metrics file not written" in done.err) == (0, True)
    assert site.file.exists()


def test_a_state_directory_that_may_not_be_entered(site: Site) -> None:
    """It goes on without a journal, as is said, and publishes."""
    site.more["state_dir"] = str(site.folder / "shut" / "state")
    (site.folder / "shut").mkdir(mode=0)
    obey_modes(on=True)
    try:
        done = site.type("run-once")
        status = site.type("status")
    finally:
        obey_modes(on=False)
    assert (done.code, site.file.exists()) == (0, True), done
    assert ("going on without" in done.err, "bug" in done.err) == (True, False)
    assert "To do: let root into the directory: namei -l" in done.err
    assert (status.code, "type this: sudo" in status.err) == (1, True)


@pytest.mark.parametrize(
    ("options", "hint"),
    [("size=64k", "df -h"), ("ro", "ReadWritePaths=")],
    ids=["full", "read-only"],
)
def test_a_disk_that_takes_nothing(
    site: Site, mount: Callable[..., None], options: str, hint: str
) -> None:
    """Run and check name the cause, for the state directory and for the metrics."""
    disk = site.folder / "disk"
    disk.mkdir()
    mount(disk, "-t", "tmpfs", "-o", options, "tmpfs")
    with suppress(OSError):
        (disk / "much").write_bytes(bytes(1 << 17))
    site.more = {"state_dir": str(disk / "state"), "metrics_file": str(disk / "rotator.prom")}
    done = site.type("run-once")
    assert (done.code, site.file.exists()) == (0, True)
    events = [json.loads(line) for line in done.err.splitlines()]
    [journal] = [str(one) for one in events if "going on without" in one["event"]]
    [metrics] = [one["hint"] for one in events if one["event"] == "metrics file not written"]
    assert (hint in journal, hint in metrics, "ls -ld" in journal + metrics) == (True, True, False)
    done = site.type("check")
    assert (done.code, hint in " ".join(done.out.split())) == (0, True), done


@pytest.mark.parametrize("command", ["run-once", "check"])
@pytest.mark.parametrize("name", ["n" * 300, "n" * 250])
def test_a_path_that_is_too_long(site: Site, command: str, name: str) -> None:
    """No file system takes the name, or that of its draft: what to do is said."""
    site.rotation["targets"][0]["path"] = str(site.file.parent / name)
    done = site.type(command)
    assert (done.code, "bug" in done.out + done.err) == (1, False), done
    assert "choose a shorter" in done.out + done.err


def test_a_lock_that_another_holds(site: Site) -> None:
    """Exit code 75 after the time that is given."""
    with cycle_lock(site.folder / "state", "dind", 0, pytest.fail):
        done = site.type("run-once", "--wait", "0.1")
    assert (done.code, "--wait" in done.err) == (75, True)


def test_two_rotations_that_ask_for_the_same(site: Site) -> None:
    """They share one fetch."""
    other = site.folder / "docker" / "other.json"
    more = {**site.rotation, "name": "other", "targets": [{"type": "file", "path": str(other)}]}
    site.write(more)
    assert site.type_alone("--config", str(site.config), "run-once").code == 0
    assert HOST in other.read_text()
