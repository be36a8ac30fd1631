"""What is slow to load is loaded by what uses it, and by nothing else.

Each case runs in a process of its own and says afterwards which of the slow packages it loaded.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from rotator import __version__
from tests.support import until

if TYPE_CHECKING:
    from pathlib import Path

SLOW = frozenset(
    {
        "apscheduler", "boto3", "botocore", "charset_normalizer", "click", "gitlab",
        "hvac", "msgspec", "pathlib", "prometheus_client", "pydantic", "requests", "rich",
        "structlog", "urllib3", "yaml",
    }
)  # fmt: skip
CONFIGURATION = {"click", "msgspec", "pathlib", "yaml"}
CYCLE = CONFIGURATION | {"structlog"}
OVER_REQUESTS = {"charset_normalizer", "requests", "urllib3"}
AWS = {"botocore", "urllib3"}
# The rotation that every case starts from: one that asks no server for anything.
SOURCE: dict[str, Any] = {"type": "docker_config", "path": "/nowhere/config.json"}
TARGET: dict[str, Any] = {"type": "file", "path": "/nowhere/docker/config.json"}
VAULT = {
    "type": "vault",
    "address": "http://127.0.0.1:1",
    "auth": {"method": "token", "token_env": "NOT_SET"},
    "path": "secret/harbor",
    "registry": "harbor.example.com",
}
GITLAB = {
    "type": "gitlab_variable",
    "url": "http://127.0.0.1:1",
    "group": "platform",
    "token_env": "NOT_SET",
}
CLUSTER = {"namespace": "ci", "name": "docker", "kubeconfig": "/nowhere/kubeconfig"}
REPORT = """
import atexit, json, sys
slow = {slow!r}
atexit.register(lambda: print(json.dumps([n for n in slow if sys.modules.get(n)]), file=sys.stderr))
from rotator.__main__ import main
main()
"""


def started(place: Path, *words: str, **rotation: Any) -> subprocess.Popen[str]:
    """Start a command with this rotation configured; it tells at its end what it has loaded."""
    document = {
        "version": 1,
        "state_dir": str(place / "state"),
        "rotations": [{"name": "dind", "sources": [SOURCE], "targets": [TARGET], **rotation}],
    }
    config = place / "rotator.yaml"
    config.write_text(yaml.safe_dump(document))
    return subprocess.Popen(
        [sys.executable, "-c", REPORT.format(slow=sorted(SLOW)), "--config", config, *words],
        env={"PATH": os.environ["PATH"], "HOME": str(place), "AWS_EC2_METADATA_DISABLED": "true"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def reported(process: subprocess.Popen[str]) -> set[str]:
    """Return the slow packages that a command had loaded at its end."""
    _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors, errors
    names: list[str] = json.loads(errors.splitlines()[-1])
    return set(names)


def loaded(place: Path, *words: str, **rotation: Any) -> set[str]:
    """Return the slow packages that a command loads with this rotation configured."""
    return reported(started(place, *words, **rotation))


@pytest.mark.parametrize(
    ("words", "needs"),
    [
        (["--version"], {"click"}),
        (["--help"], {"click"}),
        (["run-once", "--help"], {"click"}),
        (["schema"], {"click", "msgspec", "pathlib"}),
        (["check", "--offline"], CONFIGURATION),
        (["status", "--json"], CONFIGURATION),
        (["status"], CONFIGURATION | {"rich"}),
        (["run-once"], CYCLE),
        (["run-once", "--json"], CYCLE),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_command_loads_what_it_needs(words: list[str], needs: set[str], tmp_path: Path) -> None:
    """No SDK for a command that asks no server, and no configuration for one that reads none."""
    assert loaded(tmp_path, *words, prove="off") == needs


@pytest.mark.parametrize(
    ("rotation", "needs"),
    [
        ({"prove": "lenient"}, OVER_REQUESTS),
        ({"sources": [VAULT]}, OVER_REQUESTS | {"hvac"}),
        ({"sources": [{"type": "ecr", "region": "eu-west-1"}]}, AWS),
        ({"sources": [{"type": "ecr_public"}]}, AWS),
        (
            {
                "sources": [
                    {"type": "credential_helper", "helper": "x", "registries": ["a.example"]}
                ]
            },
            set(),
        ),
        ({"targets": [GITLAB]}, OVER_REQUESTS | {"gitlab"}),
        ({"targets": [{"type": "kubernetes_secret", **CLUSTER}]}, OVER_REQUESTS),
        ({"targets": [{"type": "kubernetes_configmap", **CLUSTER}]}, OVER_REQUESTS),
        (
            {"targets": [{**VAULT, "type": "vault_kv", "registry": None}]},
            OVER_REQUESTS | {"hvac"},
        ),
    ],
    ids=["proof", "vault", "ecr", "ecr_public", "helper", "gitlab", "secret", "configmap", "kv"],
)
def test_a_rotation_loads_its_own_sdks(
    rotation: dict[str, Any], needs: set[str], tmp_path: Path
) -> None:
    """A source or target brings its own SDK and nobody else's."""
    assert loaded(tmp_path, "run-once", "--json", **{"prove": "off", **rotation}) == CYCLE | needs


VERSION = """
import sys
from rotator.__main__ import main
try:
    main()
except SystemExit:
    pass
print("click" in sys.modules)
"""


@pytest.mark.parametrize("words", [[], ["-q"]])
def test_the_version_alone_is_printed_without_the_command_line(words: list[str]) -> None:
    """Whatever else is typed, click prints the same."""
    command = [sys.executable, "-c", VERSION, *words, "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"rotator, version {__version__}\n{bool(words)}\n"


def test_the_daemon_loads_no_metrics_that_nobody_reads(tmp_path: Path) -> None:
    """Without `http` and `metrics_file` it needs the scheduler beside what a single run needs."""
    daemon = started(tmp_path, "run", prove="off")
    try:
        until((tmp_path / "state" / "dind.json").exists, what="the first cycle")
    finally:
        daemon.terminate()
    assert reported(daemon) == CYCLE | {"apscheduler"}
