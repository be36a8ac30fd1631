"""What is measured, installed as a user installs it: in environments of their own, made here.

A developer's environment has packages that some libraries import just because they are there.
"""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PLACE = ROOT / ".bench"


@functools.cache
def rotator() -> Path:
    """Return the directory of the programs of a fresh installation of this source tree."""
    programs = _environment("rotator")
    if not (programs / "rotator").exists():
        _pip(programs, "--constraint", str(ROOT / "constraints.txt"), str(ROOT))
    else:
        _pip(programs, "--force-reinstall", "--no-deps", str(ROOT))
    return programs


@functools.cache
def aws() -> Path:
    """Return the path of the AWS CLI."""
    programs = _environment("aws")
    if not (programs / "aws").exists():
        _pip(programs, "awscli")
    return programs / "aws"


def _environment(name: str) -> Path:
    home = PLACE / name
    if not (home / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
    return home / "bin"


def _pip(programs: Path, *words: str) -> None:
    command = [str(programs / "pip"), "install", "--disable-pip-version-check", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
