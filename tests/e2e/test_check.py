"""`rotator check` as a user runs it: it finds much and changes nothing."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.checked import check
from tests.fakes.gitlab_access import OWNER, Variable
from tests.support import MARKED, missing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.site import Result, Site
    from tests.fakes.gitlab import FakeGitlab
    from tests.fakes.kubernetes import FakeKubernetes


def reported(result: Result, level: str = "") -> str:
    """Return what was found, in one text: all of it or what is of one level."""
    found = result.json["findings"]
    return "\n".join(
        f"{one['level']}: {one['about']}: {one['found']} | {one['todo']}"
        for one in found
        if level in ("", one["level"])
    )


def test_before_the_first_run(site: Site) -> None:
    """A new site is well: everybody is asked, nothing is there yet, and nothing is made."""
    result = check(site)
    assert (result.code, result.json["outcome"]) == (0, "ok")
    for words in (
        "answers and is unsealed",
        "can be read (kv2)",
        f"{site.registry.host} accepts what it gives",
        "ecr gives a token in eu-west-1",
        "can be replaced",
        f"nothing is published in it yet | rotator --config {site.config} run-once site",
    ):
        assert words in reported(result)
    assert not site.file.exists()
    assert not (site.place / "state").exists()


def snapshot(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return what is in a folder: inode, time and content of every file."""
    return {
        str(path): (path.stat().st_ino, path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_it_changes_nothing(
    site: Site, fake_gitlab: FakeGitlab, fake_kubernetes: FakeKubernetes
) -> None:
    """File, journal, variable, object, secret and token are what they were; no lease is left."""
    variable(site, fake_gitlab)
    kubeconfig = fake_kubernetes.kubeconfig(site.place / "kubeconfig")
    fake_kubernetes.objects.namespaces["ci"] = "Active"
    configmap = {
        "type": "kubernetes_configmap",
        "namespace": "ci",
        "name": "docker",
        "kubeconfig": str(kubeconfig),
    }
    site.rotation["targets"] = [site.target, site.rotation["targets"][0], configmap]
    assert site.run().code == 0
    files, objects = snapshot(site.place), fake_kubernetes.writes()
    variables = fake_gitlab.count("POST") + fake_gitlab.count("PUT")
    tokens = site.bao.api("LIST", "auth/token/accessors")["data"]["keys"]
    result = site.command("check", "--json")
    assert result.code == 0, reported(result)
    assert reported(result).count("(ours, ends in 11 h") == 3
    assert snapshot(site.place) == files
    assert fake_kubernetes.writes() == objects
    assert fake_gitlab.count("POST") + fake_gitlab.count("PUT") == variables
    assert site.bao.api("LIST", "auth/token/accessors")["data"]["keys"] == tokens
    assert site.bao.api("GET", site.path)["data"]["metadata"]["version"] == 1


def variable(site: Site, gitlab: FakeGitlab, **more: Any) -> None:
    """Let the site publish to a variable of the group `platform` alone."""
    gitlab.add_group("platform")
    (site.place / "gitlab-token").write_text(gitlab.add_token({"platform": OWNER}).text)
    target = {"type": "gitlab_variable", "url": gitlab.url, "group": "platform", "name": "variable"}
    site.rotation["targets"] = [{**target, "token_file": "gitlab-token", **more}]


def test_failures(site: Site) -> None:
    """Each failure names what is wrong and what to type, and the others are judged all the same."""
    site.run()
    site.token.write_text(f"{MARKED}wrong")
    site.ecr.trouble = "garbage"
    site.ecr.end_tokens()
    site.file.parent.chmod(0o777)
    result = check(site)
    assert (result.code, result.json["outcome"]) == (1, "failure")
    failures = reported(result, "failure")
    for words in (
        "vault token create",
        "ecr in eu-west-1 gave no authorization token",
        "chmod go-w",
    ):
        assert words in failures


def test_registry_rejects(site: Site) -> None:
    """What is in Vault and what is published may both be rejected; each is its own finding."""
    assert site.run().code == 0
    site.registry.passwords.clear()
    failures = reported(check(site), "failure")
    assert f"vault: {site.registry.host} rejects what it gives" in failures
    assert f"what is published for {site.registry.host} (ours, has no known end)" in failures


def test_warnings_are_no_failure(site: Site, fake_gitlab: FakeGitlab) -> None:
    """A shadowing variable and a shared registry are warnings: exit code 0."""
    variable(site, fake_gitlab)
    site.rotation["targets"].append(site.target)
    project = fake_gitlab.add_project("platform/app")
    project.variables.append(Variable("DOCKER_AUTH_CONFIG", "{}"))
    result = check(site)
    assert (result.code, result.json["outcome"]) == (0, "warning")
    assert "platform/app have a variable DOCKER_AUTH_CONFIG of their own" in reported(
        result, "warning"
    )
    assert "new Docker clients take the variable" in reported(result, "warning")


def test_secret_id_is_used_with_consume_only(site: Site) -> None:
    """A secret id that is good for one login survives a check, and --consume uses it."""
    policy = site.bao.policy(f'path "{site.path}" {{ capabilities = ["read"] }}')
    mount, role, secret = site.bao.approle([policy], secret_id_num_uses=1)
    (site.place / "secret-id").write_text(secret)
    site.vault["auth"] = {
        "method": "approle",
        "mount": mount,
        "role_id": role,
        "secret_id_file": "secret-id",
    }
    for _ in range(2):
        todo = f"rotator --config {site.config} check --consume"
        assert todo in reported(check(site), "warning")
    assert "the login with approle works" in reported(check(site, "--consume"))
    assert "cannot log in" in reported(check(site, "--consume"), "failure")


@contextmanager
def mute_server() -> Iterator[tuple[int, list[int]]]:
    """Take connections and answer none; give the port, and how many were open at each new one."""
    opened: list[int] = []
    connections: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                connections.append(connection)
                opened.append(len(connections))

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1], opened
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    for connection in connections:
        connection.close()


def test_ten_targets_that_do_not_answer(site: Site) -> None:
    """All are asked at once, each is a failure of its own, and the healthy are judged meanwhile."""
    with mute_server() as (port, opened):
        site.rotation["targets"] = [
            {
                "type": "vault_kv",
                "address": f"http://127.0.0.1:{port}",
                "auth": {"method": "token", "token_file": "vault-token"},
                "path": f"secret/hub-{number}",
                "name": f"hub-{number}",
            }
            for number in range(10)
        ]
        result = check(site)
        # none was given up before the last one was asked
        assert opened == list(range(1, 11))
    failures = reported(result, "failure")
    assert re.findall(r"^failure: (hub-\d):", failures, re.MULTILINE) == [
        f"hub-{number}" for number in range(10)
    ]
    assert "no answer" in failures
    assert "can be read (kv2)" in reported(result, "ok")


def test_several_rotations(site: Site) -> None:
    """Every rotation is looked at, or those named; a name that is wrong is exit code 2."""
    site.write()
    configuration = json.loads(json.dumps(site.rotation)) | {"targets": [site.target]}
    second = {**configuration, "name": "second", "targets": [{**site.target, "enabled": False}]}
    site.config.write_text(
        json.dumps(
            {
                "version": 1,
                "state_dir": str(site.place / "state"),
                "rotations": [configuration, second],
            }
        )
    )
    everything = json.loads(site.command("check", "--json").out)
    assert [one["name"] for one in everything["rotations"]] == ["site", "second"]
    named = site.command("check", "second", "--json").json
    assert named["name"] == "second"
    assert "paused" in str(named["findings"])
    assert site.command("check", "secnod").code == 2


def test_what_people_see(site: Site) -> None:
    """A text as wide as the terminal, without colour in a pipe, and a sum at its end."""
    site.ecr.trouble = "garbage"
    site.write()
    for width in (60, 80, 120):
        site.environment["COLUMNS"] = str(width)
        result = site.command("check")
        assert result.code == 1
        assert max(len(line) for line in result.out.splitlines()) <= width
        assert "\x1b" not in result.out
        assert result.out.startswith("site: failure")
        assert "To do:" in result.out
        assert "1 failure, 0 warnings" in result.out


@pytest.mark.parametrize(
    "words",
    [
        ["--offline", "--consume"],
        ["--offline", "--document", "x"],
        ["--document", "x", "--consume"],
        ["--document", "/nowhere/config.json"],
    ],
)
def test_wrong_arguments(site: Site, words: list[str]) -> None:
    """Options that exclude each other, and a document that is not there, are exit code 2."""
    assert check(site, *words).code == 2


def test_offline_asks_nobody(site: Site) -> None:
    """The configuration alone is checked, in the same form."""
    site.token.unlink()
    result = check(site, "--offline")
    assert (result.code, result.json) == (0, {"name": "site", "outcome": "ok", "findings": []})
    assert site.ecr.calls == 0


def test_real_bind_mount(site: Site) -> None:
    """A path that is a mount point in our own mount table can't be replaced: the driver's words."""
    if os.geteuid():
        missing("root, who may mount", "sudo .venv/bin/pytest tests/e2e")
    site.file.write_text('{"auths":{}}\n')
    subprocess.run(["mount", "--bind", site.file, site.file], check=True)
    try:
        result = check(site)
    finally:
        subprocess.run(["umount", site.file], check=True)
    assert "mount the directory" in reported(result, "failure")


def test_journal_that_cannot_be_read(site: Site) -> None:
    """A damaged record is a warning, is left alone, and everything else is checked."""
    site.run()
    record = site.place / "state" / "site.json"
    record.write_text("garbage")
    result = check(site)
    assert (result.code, record.read_text()) == (0, "garbage")
    assert "journal: the record in" in reported(result, "warning")
