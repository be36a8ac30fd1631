# ruff: noqa: INP001  a script of the image, in no package
"""Ends with 0 while the daemon's loop turns: what Docker's HEALTHCHECK runs.

Asks `http.listen` of the configuration at its usual place; HEALTH_ADDRESS names another one. Where
nothing is served there is nothing to ask, and a daemon that has died takes its container with it.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from http.client import HTTPConnection

SECONDS = 5


def main() -> int:
    """Return the exit code: 1 where the daemon says that it is not well, or says nothing."""
    connection = HTTPConnection(os.environ.get("HEALTH_ADDRESS", "127.0.0.1:9465"), timeout=SECONDS)
    with suppress(ConnectionRefusedError):
        connection.request("GET", "/healthz")
        return int(connection.getresponse().status != 200)  # noqa: PLR2004  HTTP's word for "well"
    return 0


if __name__ == "__main__":
    sys.exit(main())
