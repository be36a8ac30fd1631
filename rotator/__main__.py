"""The command `rotator`, also as `python -m rotator`."""

from __future__ import annotations

import sys

from rotator import __version__


def main() -> None:
    """Run the command line. The version alone is printed without it: it is slow to load."""
    if sys.argv[1:] == ["--version"]:
        print(f"rotator, version {__version__}")  # noqa: T201  as click writes it
        return
    from rotator import cli  # noqa: PLC0415

    cli.main()


if __name__ == "__main__":
    main()
