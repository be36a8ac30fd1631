"""Whether there is nothing under a path, as far as we may see."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def is_missing(path: Path) -> bool:
    """Tell whether nothing is there for certain.

    Where a directory on the way may not be entered, or a name is too long, `Path.exists` raises in
    some versions of Python and says no in others. The call that opens it then says why it can't.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
