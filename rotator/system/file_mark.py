"""The mark on a file: an extended attribute, so that it travels with the content in one rename."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from rotator.core.mark import from_annotations, to_annotations

if TYPE_CHECKING:
    from rotator.core.model import Mark

ATTRIBUTE = "user.rotator"


def attach(file: int, mark: Mark) -> bool:
    """Put the mark on an open file and tell whether it is there now.

    Many file systems have no user attributes, or room for a few kilobytes only: then the file is
    left without any mark, which is no error.
    """
    try:
        os.setxattr(file, ATTRIBUTE, json.dumps(to_annotations(mark)).encode())
    except OSError:
        # An older mark would now be wrong about the content.
        with suppress(OSError):
            os.removexattr(file, ATTRIBUTE)
        return False
    return True


def attached(file: int) -> Mark | None:
    """Return the mark on an open file; None where there is none that makes sense."""
    try:
        annotations = json.loads(os.getxattr(file, ATTRIBUTE))
    except (OSError, ValueError, RecursionError):
        return None
    return from_annotations(annotations) if isinstance(annotations, dict) else None
