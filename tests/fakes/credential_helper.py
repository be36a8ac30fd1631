"""Docker credential helpers for tests: small shell scripts, well behaved or not."""

from __future__ import annotations

import json
from pathlib import Path

SECRET = "s3cr3t-from-the-helper"


def answer(username: str = "ci", secret: str = SECRET) -> str:
    """Return a shell command that prints what the protocol asks for."""
    return f"printf '%s' '{json.dumps({'Username': username, 'Secret': secret})}'"


def install(folder: Path, name: str, script: str) -> Path:
    """Put `docker-credential-NAME` into the folder: a shell script unless it has its own `#!`."""
    folder.mkdir(exist_ok=True)
    path = folder / f"docker-credential-{name}"
    path.write_text(script if script.startswith("#!") else f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def ended(pid: int) -> bool:
    """Tell whether a process has ended, though perhaps nobody has taken note of it yet."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state in {"Z", "X"}
