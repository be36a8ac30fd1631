"""The command `rotator`, also as `python -m rotator`."""

from __future__ import annotations

import sys

from rotator import __version__
from rotator.system.standard_streams import standard_streams


def main() -> None:
    """Run the command line, whatever becomes of its output."""
    with standard_streams():
        _main()


def _main() -> None:
    # The version alone is printed without the command line, which is slow to load.
    if sys.argv[1:] == ["--version"]:
        print(f"rotator, version {__version__}")  # noqa: T201  as click writes it
        return
    # Before the rest, which takes a tenth of a second to load.
    from rotator import signals  # noqa: PLC0415

    signals.listen()
    try:
        from rotator import cli  # noqa: PLC0415

        cli.main()
    except signals.Interrupted as error:
        signals.ignore()
        error.done = error.done or "nothing was done yet"
        print(f"rotator: {error}", file=sys.stderr)  # noqa: T201  there is no click yet
        sys.exit(error.code)


if __name__ == "__main__":
    main()
