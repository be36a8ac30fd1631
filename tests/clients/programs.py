"""The real programs that read a docker config, asked which user they would log in as.

Docker, crane and oras are their own libraries in a Go program of ours, which is built once into the
user's cache (`tests/servers/go/docker-clients`); skopeo, podman and buildah are Debian's.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rotator.core.docker_entry import DOCKER_HUB
from tests.support import missing, need

if TYPE_CHECKING:
    from collections.abc import Sequence

SOURCE = Path(__file__).resolve().parents[1] / "servers" / "go" / "docker-clients"
TIMES = 100
"""How often a client is asked: Go's maps begin at a random one of eight places each time."""

GO_CLIENTS = ("docker-file", "docker-variable", "crane", "oras")
CONTAINERS = ("skopeo", "podman", "buildah")


@dataclass(frozen=True)
class Used:
    """The user names that a client would send (empty: none), and what it printed."""

    users: frozenset[str]
    error: str = ""


def cache() -> Path:
    """Return the folder in which built programs stay."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "rotator-tests"


def go_program() -> Path:
    """Return the built program; the first time takes half a minute and asks the Go module proxy."""
    go = need("go", "golang-go (1.26 or newer)")
    files = sorted(path for path in SOURCE.iterdir() if path.is_file())
    name = hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()[:16]
    program = cache() / f"docker-clients-{name}"
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        # Two test processes may build at once: each has a name of its own until it is whole.
        unfinished = program.with_name(f"{program.name}.{os.getpid()}")
        built = subprocess.run(
            [go, "build", "-mod=readonly", "-o", str(unfinished), "."],
            cwd=SOURCE,
            env={**os.environ, "CGO_ENABLED": "0"},
            check=False,
            timeout=600,
        )
        if built.returncode:
            missing("a Go 1.26 that reaches its modules", f"cd {SOURCE} && go build .")
        unfinished.replace(program)
    return program


def ask_go(
    client: str, questions: Sequence[tuple[str, str]], folder: Path, file: str = "{}"
) -> list[Used]:
    """Return what a client uses for each document and registry.

    `file`: the document in its file, where the others are those of the variable.
    """
    lines = [
        json.dumps(
            {
                "client": client,
                "document": text,
                "file": file,
                "host": _host(registry),
                "times": TIMES,
            }
        )
        for text, registry in questions
    ]
    done = subprocess.run(
        [go_program(), folder],
        input="\n".join(lines),
        env={"PATH": "/nonexistent", "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return [Used(frozenset(one["users"]), one["error"]) for one in answers]


def ask_containers(program: str, text: str, registry: str, folder: Path) -> Used:
    """Return what skopeo, podman or buildah uses for a document and a registry."""
    path = need(program, program)
    file = folder / "auth.json"
    file.write_text(text)
    name = "docker.io" if registry == DOCKER_HUB else registry
    done = subprocess.run(
        [path, "login", "--get-login", "--authfile", file, name],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return Used(frozenset([done.stdout.strip()]), done.stderr)


def _host(registry: str) -> str:
    """Return what Docker asks its configuration for: the host, or the Hub's own address."""
    return registry if registry == DOCKER_HUB else registry.partition("/")[0]
