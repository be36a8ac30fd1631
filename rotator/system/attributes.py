"""Extended attributes, which a new file has to be given: access lists, SELinux labels, user's own.

The mark on a file is one too, so that it travels with the content in one rename.
https://man7.org/linux/man-pages/man7/xattr.7.html
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from rotator.core.mark import from_annotations, to_annotations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rotator.core.model import Mark

ACCESS_LIST = "system.posix_acl_access"
MARK = "user.rotator"

# The kernel makes these from a file's content.
_OF_THE_CONTENT = frozenset({"security.ima", "security.evm"})


def read(file: int) -> dict[str, bytes]:
    """Return all that can be read of an open file's attributes, by name."""
    found = {}
    with suppress(OSError):  # a file system without any
        for name in os.listxattr(file):
            with suppress(OSError):
                found[name] = os.getxattr(file, name)
    return {name: found[name] for name in sorted(found.keys() - _OF_THE_CONTENT)}


def give(file: int, attributes: Mapping[str, bytes]) -> dict[str, str]:
    """Set the attributes of an open file; return what could not be set, and why."""
    has = read(file)
    refused = {}
    for name, value in attributes.items():
        if has.get(name) != value:
            try:
                os.setxattr(file, name, value)
            except OSError as error:
                refused[name] = str(error.strerror)
    return refused


def drop_access_list(file: int) -> None:
    """Take away the access list that a new file got from its directory."""
    with suppress(OSError):  # it has none
        os.removexattr(file, ACCESS_LIST)


def attach(file: int, mark: Mark) -> bool:
    """Put the mark on an open file and tell whether it is there now.

    Many file systems have no user attributes, or room for a few kilobytes only: then the file is
    left without any mark, which is no error.
    """
    try:
        os.setxattr(file, MARK, json.dumps(to_annotations(mark)).encode())
    except OSError:
        # An older mark would now be wrong about the content.
        with suppress(OSError):
            os.removexattr(file, MARK)
        return False
    return True


def mark_on(file: int) -> Mark | None:
    """Return the mark on an open file; None where there is none that makes sense."""
    try:
        annotations = json.loads(os.getxattr(file, MARK))
    except (OSError, ValueError, RecursionError):
        return None
    return from_annotations(annotations) if isinstance(annotations, dict) else None
