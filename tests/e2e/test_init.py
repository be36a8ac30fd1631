"""`rotator init`: a first configuration, and the commands that it prints, typed as they stand."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support import MARKED, until

if TYPE_CHECKING:
    from tests.e2e.site import Site

PROGRAM = str(Path(sys.executable).with_name("rotator"))


def typed(*words: str, place: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Type a command."""
    environ = {"PATH": f"{Path(PROGRAM).parent}:{os.environ['PATH']}", "HOME": str(place), **more}
    return subprocess.run(
        words, env=environ, cwd=place, capture_output=True, text=True, check=False, timeout=60
    )


def next_commands(printed: str) -> list[list[str]]:
    """Return the three commands that are printed."""
    lines = printed.partition("one after another:\n")[2].splitlines()
    return [shlex.split(line) for line in lines]


def test_the_next_three_commands(tmp_path: Path) -> None:
    """Typed as they stand they check, publish, and keep it fresh."""
    source, target = tmp_path / "source" / "config.json", tmp_path / "docker" / "config.json"
    for path in (source, target):
        path.parent.mkdir(mode=0o700)
    source.write_text(json.dumps({"auths": {"127.0.0.1:1": {"auth": "dTpzM2NyM3QtcA=="}}}))
    source.chmod(0o600)
    options = ["--docker-config", str(source), "--file", str(target), "--name", "first"]
    where = ["--output", str(tmp_path / "rotator.yaml")]
    printed = typed("rotator", "init", *where, *options, place=tmp_path).stdout
    check, once, run = next_commands(printed)
    assert "first: warning" in typed(*check, place=tmp_path).stdout  # nobody answers there
    assert typed(*once, place=tmp_path).returncode == 0
    assert json.loads(target.read_text())["auths"].keys() == {"127.0.0.1:1"}
    target.unlink()
    environ = {"PATH": f"{Path(PROGRAM).parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    with subprocess.Popen(run, env=environ, stderr=subprocess.DEVNULL) as daemon:
        try:
            until(target.exists, what="the daemon's first cycle")
        finally:
            daemon.terminate()


def test_with_a_vault(site: Site, tmp_path: Path) -> None:
    """A real server, the secret put where it says: the same three commands."""
    vault = site.vault
    options = ["--vault", vault["address"], vault["path"], "--registry", vault["registry"]]
    options += ["--auth", "token", "--file", str(site.file), "--output", str(tmp_path / "r.yaml")]
    printed = typed("rotator", "init", *options, place=tmp_path).stdout
    (secret,) = re.findall("SECRET (.*)", printed)
    Path(secret).write_text(site.token.read_text())
    Path(secret).chmod(0o600)
    check, once, _ = next_commands(printed)
    checked = typed(*check, place=tmp_path)
    assert checked.returncode == 0, checked.stdout
    assert typed(*once, place=tmp_path).returncode == 0
    assert vault["registry"] in site.file.read_text()


def test_questions_on_a_terminal(tmp_path: Path) -> None:
    """Who names nothing is asked; each question has an answer that is usual."""
    file = tmp_path / "rotator.yaml"
    ours, theirs = pty.openpty()
    command = [PROGRAM, "init", "--output", str(file)]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as asked:
        os.close(theirs)
        for answer in ("ecr", "eu-central-1", "", "", "3h"):
            os.write(ours, f"{answer}\n".encode())
        text = b""
        with suppress(OSError):
            while part := os.read(ours, 65536):
                text += part
    os.close(ours)
    assert asked.returncode == 0, text
    written = file.read_text()
    for words in ("region: eu-central-1", "path: /opt/.docker/config.json", "longest_job: 3h"):
        assert words in written
    assert MARKED not in written
