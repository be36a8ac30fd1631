"""What is behind an error: libraries keep it in different places."""

from __future__ import annotations

import re
import ssl
from http.client import BadStatusLine, RemoteDisconnected
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


NO_TLS = "WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE|PACKET_LENGTH_TOO_LONG"
"""How OpenSSL says that what answers speaks no TLS."""

TLS_WANTED = "sent an http request to an https|plain http request was sent|plain http to an ssl"
"""How Go, nginx and Apache say that they speak TLS there."""

_TLS_ALERT = "\x15\x03"

# No more is shown: the rest of an answer that was mixed up could hold a secret.
_GREETING = re.compile(r"SSH-[0-9.]+|[0-9]{3}(?=[ -])|\+OK|\* OK|-ERR|<[!?]?[A-Za-z]{1,10}")


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
    if any(isinstance(cause, RemoteDisconnected) for cause in causes(error)):
        return "it ended the connection without an answer"
    said = [c.strerror for c in causes(error) if isinstance(c, OSError) and c.strerror and c.errno]
    return said[-1] if said else ""


def no_http(error: BaseException) -> str:
    """Return what came from something that listens there and speaks no HTTP; empty if none did."""
    for cause in causes(error):
        if isinstance(cause, BadStatusLine) and not isinstance(cause, RemoteDisconnected):
            line = str(cause.args[0])
            if line.startswith(_TLS_ALERT):
                return "it speaks TLS there, and was asked without"
            begins = _GREETING.match(line)
            said = f": it begins with `{begins[0]}`" if begins else ""
            return f"what listens there speaks no HTTP{said}"
    return ""
