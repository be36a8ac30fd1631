"""What is no file where one is expected is said, by its path; nothing waits for it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.watched import PROGRAM, Watched
from tests.support import MARKED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

VAULT = {
    "type": "vault",
    "address": "https://127.0.0.1:1",
    "auth": {"method": "token", "token_env": "ROTATOR_TEST_TOKEN"},
    "path": "secret/x",
    "registry": "127.0.0.1:1",
}
GITLAB = {
    "type": "gitlab_variable",
    "url": "https://127.0.0.1:1",
    "group": "team",
    "token_env": "ROTATOR_TEST_TOKEN",
}
SECRET = {"type": "kubernetes_secret", "namespace": "ci", "name": "login"}


def a_socket(path: Path) -> None:
    """Make a socket that nobody listens on."""
    with closing(socket.socket(socket.AF_UNIX)) as made:
        made.bind(str(path))


def a_device(path: Path) -> None:
    """Make a link to a device that gives bytes without end."""
    path.symlink_to("/dev/zero")


KINDS: dict[str, tuple[Callable[[Path], None], str]] = {
    "FIFO": (os.mkfifo, "it is a FIFO, not a file"),
    "socket": (a_socket, "it is a socket, not a file"),
    "device": (a_device, "it is a device, not a file"),
    "directory": (os.mkdir, "Is a directory"),
}


def kubeconfig(place: Path, **cluster: Any) -> str:
    """Write a kubeconfig, and return its path."""
    user = {"client-certificate": str(place / "odd"), "client-key": str(place / "odd")}
    document = {
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1", **cluster}}],
        "users": [{"name": "u", "user": {"token": "t"} if cluster else user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    (place / "kubeconfig").write_text(json.dumps(document))
    return str(place / "kubeconfig")


def sourced(settings: dict[str, Any]) -> Callable[[Watched], None]:
    """Let the rotation have this source."""
    return lambda watched: watched.configuration["rotations"][0].update(sources=[settings])


def targeted(settings: dict[str, Any]) -> Callable[[Watched], None]:
    """Let the rotation have this target."""
    return lambda watched: watched.configuration["rotations"][0].update(targets=[settings])


ODD: dict[str, Callable[[str], Callable[[Watched], None]]] = {
    "docker config": lambda odd: sourced({"type": "docker_config", "path": odd}),
    "secret": lambda odd: sourced({**VAULT, "auth": {"method": "token", "token_file": odd}}),
    "Vault's CA": lambda odd: sourced({**VAULT, "ca_file": odd}),
    "client certificate": lambda odd: sourced({**VAULT, "client_cert_file": odd}),
    "AWS's CA": lambda odd: sourced({"type": "ecr", "region": "eu-west-1", "ca_file": odd}),
    "AWS token": lambda odd: sourced(
        {
            "type": "ecr",
            "region": "eu-west-1",
            "role_arn": "arn:aws:iam::123456789012:role/a",
            "web_identity_token_file": odd,
        }
    ),
    "GitLab's CA": lambda odd: targeted({**GITLAB, "ca_file": odd}),
    "kubeconfig": lambda odd: targeted({**SECRET, "kubeconfig": odd}),
    "registries' CA": lambda odd: (
        lambda watched: watched.configuration.update(registry_access={"ca_file": odd})
    ),
    "cluster's CA": lambda odd: (
        lambda watched: targeted(
            {**SECRET, "kubeconfig": kubeconfig(watched.place, **{"certificate-authority": odd})}
        )(watched)
    ),
    "cluster's login": lambda _: (
        lambda watched: targeted({**SECRET, "kubeconfig": kubeconfig(watched.place)})(watched)
    ),
    "target": lambda odd: targeted({"type": "file", "path": odd}),
}


def said_by(watched: Watched, *words: str) -> str:
    """Return all that a command says, which ends soon and does not call it a bug."""
    done = subprocess.run(
        [PROGRAM, "--config", str(watched.place / "rotator.yaml"), *words],
        env={
            "PATH": os.environ["PATH"],
            "COLUMNS": "1000",
            "ROTATOR_TEST_TOKEN": f"{MARKED}t",
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": f"{MARKED}k",
        },
        capture_output=True,
        text=True,
        timeout=25,
        check=False,
    )
    said = done.stdout + done.stderr
    assert "bug" not in said, said
    assert "Traceback" not in said, said
    return " ".join(said.split())


@pytest.mark.parametrize(
    ("what", "kind"),
    [*((what, "FIFO") for what in ODD), *(("secret", kind) for kind in KINDS)],
)
def test_what_the_configuration_names(tmp_path: Path, what: str, kind: str) -> None:
    """`run-once` and `check` say what it is and where."""
    watched, odd = Watched(tmp_path), tmp_path / "odd"
    make, sentence = KINDS[kind]
    make(odd)
    ODD[what](str(odd))(watched)
    watched.configuration["rotations"][0]["prove"] = "lenient"
    watched.write()
    for words in ("check", "run-once"):
        said = said_by(watched, words)
        assert str(odd) in said, said
        assert sentence in said or what == "target", said


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_line(tmp_path: Path, kind: str) -> None:
    """The configuration, and a document to judge."""
    watched, odd = Watched(tmp_path), tmp_path / "odd"
    make, sentence = KINDS[kind]
    make(odd)
    for words in (["check", "--document", str(odd)], ["--config", str(odd), "status"]):
        said = said_by(watched, *words)
        assert str(odd) in said
        assert sentence in said
    for words in (["init", "--output", str(odd)], ["init", "--force", "--output", str(odd)]):
        said = said_by(watched, *words, "--ecr", "eu-west-1", "--file", "/a")
        assert f"{odd} is no file" in said


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["dind.json", "fingerprint.key", "dind.cycle.lock", "daemon.lock"])
def test_the_state_directory(tmp_path: Path, name: str, kind: str) -> None:
    """No command hangs; `run-once` publishes all the same."""
    watched = Watched(tmp_path)
    odd = tmp_path / "state" / name
    odd.parent.mkdir(mode=0o700)
    make, sentence = KINDS[kind]
    make(odd)
    said = said_by(watched, "status")
    assert name != "dind.json" or (str(odd.parent) in said and sentence in said), said
    said_by(watched, "check")
    said = said_by(watched, "run-once")
    assert watched.target.exists(), said
    assert name.endswith("lock") or (str(odd) in said and sentence in said), said


def test_what_a_shell_gives(tmp_path: Path) -> None:
    """`<(…)` is a FIFO, and somebody writes into it."""
    watched = Watched(tmp_path)
    line = f"{PROGRAM} --config <(cat {tmp_path}/rotator.yaml) check --document <(echo '{{}}')"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert watched.source.exists()
    assert "1 failure, 0 warnings" in done.stdout, done
    assert "a file" not in done.stdout + done.stderr
