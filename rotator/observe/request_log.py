"""Shows each request that an SDK makes, for `-vv`: its method, its address and the answer's status.

Only the libraries' own one-line messages are shown. Headers and bodies hold secrets, and what else
the libraries log may quote them.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

# urllib3: `http://host:80 "GET /path HTTP/1.1" 200 None`.
_REQUEST = re.compile(r'("[A-Z]+ \S+ HTTP/[0-9.]+" [0-9]{3})')
_QUERY = re.compile(r"\?[^\s\"]*")
_LIBRARIES = ("urllib3.connectionpool",)


def show_requests(stream: TextIO) -> None:
    """Print a line for each request from now on."""
    handler = logging.StreamHandler(stream)
    handler.addFilter(_is_request)
    handler.setFormatter(_Line("%(asctime)s request %(message)s"))
    for name in _LIBRARIES:
        logger = logging.getLogger(name)
        logger.setLevel(logging.DEBUG)
        logger.addHandler(handler)


def _is_request(record: logging.LogRecord) -> bool:
    return _REQUEST.search(record.getMessage()) is not None


class _Line(logging.Formatter):
    """Leaves out what follows a question mark: a query may hold a token."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return _QUERY.sub("?…", super().format(record))
