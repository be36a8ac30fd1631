"""What is behind an error: libraries keep it in different places."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and all that it wraps, also what urllib3 keeps in `reason` and `args`."""
    known: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, BaseException) and id(one) not in known:
            known.add(id(one))
            waiting += [getattr(one, "reason", None), one.__cause__, one.__context__, *one.args]
            yield one


def distrust(error: BaseException) -> str:
    """Return why a TLS certificate is not trusted; empty where that is not what went wrong."""
    found = (c.verify_message for c in causes(error) if isinstance(c, ssl.SSLCertVerificationError))
    return next(found, "")


def system_message(error: BaseException) -> str:
    """Return what the operating system said ("Connection refused"); empty where it said nothing.

    A library's own text may hold a URL with a proxy's password in it.
    """
    said = [c.strerror for c in causes(error) if isinstance(c, OSError) and c.strerror and c.errno]
    return said[-1] if said else ""
