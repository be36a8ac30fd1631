"""deploy/README.md stays true: its links lead somewhere, its commands exist, its advice works."""

from __future__ import annotations

import base64
import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
import yaml

from rotator.cli import cli
from tests.e2e.site import USER
from tests.e2e.test_manifests import render
from tests.support import MARKED

if TYPE_CHECKING:
    from tests.e2e.site import Site

PROJECT = Path(__file__).parents[2]
TEXT = (PROJECT / "deploy/README.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
LINES = [line for block in BLOCKS for line in block.replace("\\\n", " ").splitlines()]
INLINE = re.findall(
    r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", TEXT, flags=re.DOTALL | re.MULTILINE)
)
COMMANDS = sorted({line.split("  #")[0].strip() for line in LINES + INLINE})


def starting(program: str) -> list[list[str]]:
    """Return the words of each command on the page that runs this program, also behind `--`."""
    words = [shlex.split(command.split(" -- ")[-1]) for command in COMMANDS if program in command]
    return [command[1:] for command in words if command[:1] == [program]]


def anchors(path: Path) -> set[str]:
    """Return what links can point to within a page."""
    titles = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)]+)\)", TEXT))))
def test_links(link: str) -> None:
    """Each leads to a file of the project, and to a part of it that is there."""
    file, _, part = link.partition("#")
    path = (PROJECT / "deploy" / file).resolve() if file else PROJECT / "deploy/README.md"
    assert path.is_file()
    if part:
        assert part in anchors(path)


@pytest.mark.parametrize("words", starting("rotator"), ids=" ".join)
def test_our_commands(words: list[str]) -> None:
    """Each command and option of rotator exists."""
    name, *rest = words
    cli.commands[name].make_context(name, rest, parent=click.Context(cli))


@pytest.mark.parametrize("words", starting("systemctl"), ids=" ".join)
def test_units(words: list[str]) -> None:
    """Each unit is one that is installed."""
    verb, unit = words[0], words[-1]
    if verb == "daemon-reload":
        return
    assert verb in {"start", "restart", "reload", "status", "enable", "edit", "stop", "disable"}
    name = unit if unit.endswith(".timer") else f"{unit}.service"
    assert (PROJECT / "systemd" / name).is_file()


def test_make_targets() -> None:
    """Each is in the Makefile."""
    makefile = (PROJECT / "Makefile").read_text()
    targets = {words[0] for words in starting("make")}
    assert targets == {"dist", "install", "uninstall"}
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


def test_objects_in_the_cluster() -> None:
    """What kubectl is told to look at is in the manifests."""
    folder = PROJECT / "deploy/kubernetes"
    texts = [path.read_text() for path in folder.rglob("*.yaml")]
    documents = [one for text in texts for one in yaml.safe_load_all(text) if one]
    found = {(one["kind"], one["metadata"]["name"]) for one in documents if "metadata" in one}
    kinds = {"deploy": "Deployment", "cronjob": "CronJob", "job": "Job"}
    commands = " ".join(command for command in COMMANDS if command.startswith("kubectl"))
    named = set(re.findall(rf"\b({'|'.join(kinds)})/(rotator[a-z-]*)", commands))
    made = re.search(r"create job (\S+)", commands)
    assert made is not None
    assert len(named) == 4
    assert {(kinds[kind], name) for kind, name in named} - {("Job", made[1])} <= found


def test_a_pod_of_the_cronjob_that_fetches_everything() -> None:
    """What is typed in an emergency leaves out the option that spares what is not due."""
    (script,) = re.findall(r"sed '([^']+)'", TEXT)
    done = subprocess.run(
        ["sed", script],
        input=render("overlays/cronjob"),
        capture_output=True,
        text=True,
        check=True,
    )
    (cron,) = [one for one in yaml.safe_load_all(done.stdout) if one["kind"] == "CronJob"]
    (container,) = cron["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["run-once"]


def test_exit_codes() -> None:
    """The table has the codes that `rotator --help` has."""
    rows = re.findall(r"^\| (\d+(?:, \d+)*) \|", TEXT, re.MULTILINE)
    reported = re.findall(r"\b\d+\b", (cli.help or "").split("Exit codes:")[1])
    assert {code for row in rows for code in row.split(", ")} == set(reported)


def test_a_credential_that_a_person_published_stays(site: Site) -> None:
    """While the source gives what its registry rejects, a person's entry is left alone."""
    site.rotation["sources"] = [site.vault]
    site.run()
    by_person = f"{MARKED}by-hand"
    site.registry.passwords[USER] = by_person
    login = base64.b64encode(f"{USER}:{by_person}".encode()).decode()
    site.file.write_text(json.dumps({"auths": {site.registry.host: {"auth": login}}}))
    for words in ((), ("--only-due",)):
        site.run(*words)
        assert site.published()[site.registry.host] == (USER, by_person)
    site.put(f"{MARKED}harbor-2")
    assert site.run().code == 0
    assert site.published()[site.registry.host] == (USER, site.password)
