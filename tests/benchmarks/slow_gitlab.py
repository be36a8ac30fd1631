"""A GitLab with latency in a process of its own: `python -m tests.benchmarks.slow_gitlab 0.05`."""

from __future__ import annotations

import json
import sys

from tests.benchmarks.site import GROUP
from tests.fakes.gitlab import FakeGitlab
from tests.fakes.gitlab_access import OWNER

GROUPS = 50
"""How many groups it has, for a hundred variables each: the fake searches those of a group."""


def main() -> None:
    """Serve until the input ends; the first line says where, and the access token.

    Each line that comes in is answered with the number of requests so far.
    """
    with FakeGitlab() as server:
        server.add_group(GROUP)
        for number in range(GROUPS):
            server.add_group(f"{GROUP}/{number}")
        server.latency = float(sys.argv[1])
        token = server.add_token({GROUP: OWNER}).text
        print(json.dumps({"url": server.url, "token": token}), flush=True)  # noqa: T201  its output
        for _ in sys.stdin:
            print(len(server.calls), flush=True)  # noqa: T201  its output


if __name__ == "__main__":
    main()
