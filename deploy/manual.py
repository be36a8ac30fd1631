# ruff: noqa: INP001  a script of the installation, in no package
"""Prints rotator's manual page (roff, for `man`), made from the commands themselves."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING

import click

from rotator import __version__
from rotator.cli import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

HELP = ["-h", "--help"]
ENVIRONMENT = {
    "ROTATOR_CONFIG": "The configuration, where --config does not name one.",
    "CREDENTIALS_DIRECTORY": (
        "Where relative names in *_file keys are looked up. systemd sets it; see LoadCredential= in"
        " systemd.exec(5). What is in it changes only when the service is restarted."
    ),
    "STATE_DIRECTORY": "Where the journal is kept, where the configuration does not say.",
}
FILES = {
    "/etc/rotator/rotator.yaml": "The configuration. It holds no secret.",
    "/etc/credstore/": "The secrets that rotator itself logs in with, for the systemd units.",
    "/var/lib/rotator/": "The journal. Losing it costs one renewal.",
    "/opt/.docker/config.json": "What jobs read, on a host that is set up as in the examples.",
    "/usr/local/share/doc/rotator/": "Configurations for every case; drop-ins for the units.",
}
EXAMPLES = {
    "rotator check --offline": "Is the configuration right?",
    "systemctl start rotator-once": "Fetch and publish everything now, with the daemon's secrets.",
    "journalctl -u rotator-once -o cat": "What that did, and what to do where it failed.",
    "systemctl reload rotator": "Take a changed configuration; a bad one is refused.",
    "systemctl restart rotator": "Take a changed secret of /etc/credstore.",
}


def escape(text: str) -> str:
    """Return text that roff prints as it is."""
    text = text.replace("\\", r"\e").replace("-", r"\-")
    return "\n".join(rf"\&{line}" if line[:1] in {".", "'"} else line for line in text.split("\n"))


def prose(text: str) -> Iterator[str]:
    """Give the paragraphs of a help text; those with click's mark for it keep their lines."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        yield ".PP"
        if paragraph.startswith("\b"):
            yield from (".nf", escape(paragraph[1:].strip("\n")), ".fi")
        else:
            yield escape(paragraph)


def table(rows: dict[str, str]) -> Iterator[str]:
    """Give a list of terms, each with what it means."""
    for term, meaning in rows.items():
        yield from (".TP", rf"\fB{escape(term)}\fR", escape(meaning))


def options(command: click.Command) -> dict[str, str]:
    """Return how a command's options are written, and what they do."""
    context = click.Context(command, help_option_names=HELP)
    found = [one for one in command.get_params(context) if isinstance(one, click.Option)]
    return dict(filter(None, (one.get_help_record(context) for one in found)))


def synopsis(command: click.Command) -> str:
    """Return the words that a command takes."""
    context = click.Context(command, help_option_names=HELP)
    return " ".join(["rotator", command.name or "", *command.collect_usage_pieces(context)])


def page() -> Iterator[str]:
    """Give the page's lines."""
    yield f'.TH ROTATOR 1 "" "rotator {__version__}" "User Commands"'
    yield from (".SH NAME", r"rotator \- keeps registry credentials in GitLab CI fresh")
    yield from (".SH SYNOPSIS", r"\fBrotator\fR [\fIOPTIONS\fR] \fICOMMAND\fR [\fIARGS\fR]...")
    yield from (".SH DESCRIPTION", *prose(cli.help or ""))
    yield from (".SH OPTIONS", *table(options(cli)))
    yield ".SH COMMANDS"
    for command in cli.commands.values():
        yield from (f".SS {escape(synopsis(command))}", *prose(command.help or ""))
        yield from table(options(command))
    yield from (".SH ENVIRONMENT", *table(ENVIRONMENT))
    yield from (".SH FILES", *table(FILES))
    yield from (".SH EXAMPLES", *table(EXAMPLES))
    yield from (".SH SEE ALSO", r"\fBsystemd.exec\fR(5), \fBsystemd\-creds\fR(1)")


if __name__ == "__main__":
    sys.stdout.write("\n".join(page()) + "\n")
