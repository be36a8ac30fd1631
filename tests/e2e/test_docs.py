"""What the documents say is true: commands run, links lead somewhere, names exist."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rotator.config.load import load
from rotator.core.errors import Reason
from rotator.sources import DRIVERS as SOURCES
from rotator.targets import DRIVERS as TARGETS
from tests.demo import NEXT, PLACE, PORTS
from tests.e2e.site import PROGRAM
from tests.support import until

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(ROOT.glob("*.md"))


def shown(*words: str) -> str:
    """Return what a command prints."""
    return subprocess.run(
        [PROGRAM, *words], capture_output=True, text=True, check=True, timeout=60
    ).stdout


def blocks(document: str, language: str) -> Iterator[str]:
    """Return the fenced blocks of a document."""
    text = (ROOT / document).read_text()
    return iter(re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    """Each relative link is a file or folder of this project."""
    for link in re.findall(r"\]\((?!https?://)([^)#]+)\)", document.read_text()):
        assert (document.parent / link).exists(), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_make_targets_exist(document: Path) -> None:
    """Each `make …` in a code block or a code span is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"(?:^|`)make ([a-z]+)", document.read_text(), re.MULTILINE)
    assert set(named) <= targets


def test_the_readme_configuration_is_right(tmp_path: Path) -> None:
    """The configuration that README shows is accepted."""
    config = tmp_path / "rotator.yaml"
    config.write_text(next(blocks("README.md", "yaml")))
    assert load(config, {}).rotations[0].name == "dind"


def test_the_readme_names_every_command_and_option() -> None:
    """README's table has the commands and options that --help has, and no others."""
    table = (ROOT / "README.md").read_text().partition("## Commands")[2].partition("\n## ")[0]
    listed = shown("--help").partition("Commands:")[2]
    commands = re.findall(r"^  ([a-z][a-z-]+) ", listed, re.MULTILINE)
    assert set(re.findall(r"^\| `rotator ([a-z-]+)", table, re.MULTILINE)) == set(commands)
    for command in commands:
        row = next(line for line in table.splitlines() if line.startswith(f"| `rotator {command}"))
        said = set(re.findall(r"--[a-z-]+", row))
        there = set(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", shown(command, "--help"), re.MULTILINE))
        assert said == there - {"--help", "--config", "--quiet", "--verbose"}, command


@pytest.mark.parametrize("command", ["", "run", "run-once", "check", "init", "status", "schema"])
def test_the_help_fits_80_columns(command: str) -> None:
    """A line that the terminal breaks is hard to read."""
    done = subprocess.run(
        [PROGRAM, *command.split(), "--help"],
        env={**os.environ, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert max(len(line) for line in done.stdout.splitlines()) <= 80


def test_the_configuration_is_named_before_a_command_or_after_it(tmp_path: Path) -> None:
    """Nobody remembers at night where the option belongs."""
    config = tmp_path / "rotator.yaml"
    config.write_text(next(blocks("README.md", "yaml")))
    before = shown("--config", str(config), "check", "--offline")
    assert before == shown("check", "--offline", "--config", str(config))
    assert before == f"{config} is right: dind (2 sources, 1 target)\n"


def test_architecture_lists_every_reason() -> None:
    """The closed list of reasons is documented, each with its meaning."""
    table = (ROOT / "ARCHITECTURE.md").read_text().partition("## Reasons")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \| ", table, re.MULTILINE) == [str(r) for r in Reason]


def test_architecture_says_why_for_each_dependency() -> None:
    """Each package that is installed with rotator has a line, and no other has."""
    project = (ROOT / "pyproject.toml").read_text()
    wanted = project.partition("\ndependencies = [")[2].partition("]")[0]
    table = (ROOT / "ARCHITECTURE.md").read_text().partition("## Dependencies")[2]
    rows = re.findall(r"^\| ([a-z0-9, -]+) \| \w", table.partition("\n## ")[0], re.MULTILINE)
    named = {name for row in rows for name in row.split(", ")} - {"package"}
    assert named == set(re.findall(r'"([a-z0-9-]+)', wanted))


def test_every_driver_is_in_the_full_example() -> None:
    """config/ shows each source and target type at least once."""
    shown_types = set(
        re.findall(r"type: (\w+)", "".join(p.read_text() for p in ROOT.glob("config/*.yaml")))
    )
    assert SOURCES.keys() | TARGETS.keys() <= shown_types


def test_the_demo() -> None:
    """`make demo` shows a rotation, then that nothing is due, and leaves no process behind."""
    done = subprocess.run(
        ["make", "--no-print-directory", "demo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for said in ("demo: rotated", "demo: fresh", "unchanged", "written", str(PLACE)):
        assert said in done.stdout
    last = [line.partition("#")[0].strip() for line in done.stdout.splitlines()[-3:]]
    assert last == list(NEXT)
    packages = {path.name for path in (ROOT / ".demo").glob("lib/*/site-packages/*")}
    assert not {"pytest", "mypy", "moto", "hypothesis"} & packages
    assert not [port for port in PORTS if is_open(port)]


def test_the_demo_is_interrupted() -> None:
    """Ctrl-C ends everything that the demo started."""
    with start_demo() as demo:
        until(lambda: is_open(PORTS[0]), 30, "OpenBao to listen")
        os.killpg(demo.pid, signal.SIGINT)
        demo.communicate(timeout=30)
    assert demo.returncode == 130
    assert not [port for port in PORTS if is_open(port)]


@pytest.mark.parametrize(("ending", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_the_demo_is_ended(ending: signal.Signals, code: int) -> None:
    """So does a kill, or a terminal that is closed, which OpenBao itself would live through."""
    with start_demo() as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "run-once" in line:
                break
        os.killpg(demo.pid, ending)
        demo.communicate(timeout=30)
    assert demo.returncode == code
    assert not [port for port in PORTS if is_open(port)]


def test_the_demo_is_interrupted_while_it_loads() -> None:
    """A Ctrl-C that finds nothing to end prints no traceback."""
    with start_demo() as demo:
        modules = Path(f"/proc/{demo.pid}/maps")
        until(lambda: "_ssl." in modules.read_text(), 30, "the first modules to be loaded")
        os.killpg(demo.pid, signal.SIGINT)
        _, errors = demo.communicate(timeout=30)
    assert demo.returncode != 0
    assert "Traceback" not in errors


def start_demo() -> subprocess.Popen[str]:
    """Start the demo as a shell does: in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.demo"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def is_open(port: int) -> bool:
    """Tell whether anybody listens on a port of this machine."""
    listening = Path("/proc/net/tcp").read_text().splitlines()[1:]
    local = f"0100007F:{port:04X}"
    return any(line.split()[1] == local and line.split()[3] == "0A" for line in listening)


def test_the_schema_is_json() -> None:
    """`rotator schema` prints a JSON Schema that names the rotations."""
    assert "rotations" in json.loads(shown("schema"))["properties"]


def test_adding_a_target_works_as_written(tmp_path: Path) -> None:
    """The blocks of CONTRIBUTING.md, applied to a copy, pass the contract suite."""
    for folder in ("rotator", "tests"):
        shutil.copytree(
            ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for block in blocks("CONTRIBUTING.md", "python"):
        name, _, text = block.removeprefix("# ").partition("\n")
        path = tmp_path / name
        if name.endswith("config/targets.py"):
            before, union, after = path.read_text().partition("\nTarget = (\n    ")
            path.write_text(f"{before}\n{text}\n{union}SqliteTargetSettings\n    | {after}")
        elif name.endswith("__init__.py"):
            path.write_text(path.read_text().replace("DRIVERS = {\n", f"DRIVERS = {{\n{text}"))
        else:
            path.write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-k", "sqlite", "tests/contract/test_targets.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTEST_ADDOPTS": "-p no:cacheprovider"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert " passed" in done.stdout
