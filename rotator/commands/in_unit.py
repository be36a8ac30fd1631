"""On a host with the installed unit, what root types runs in a unit with the same properties.

The configuration in /etc belongs to that unit there: its user may write the targets and the
journal, and its secrets come from systemd. A command that ran as root would find neither, and would
report failures that the daemon does not have. systemd/rotator.generator makes the properties.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

from rotator.config.load import DEFAULT_FILE
from rotator.signals import Interrupted
from rotator.system.input_file import open_plain

if TYPE_CHECKING:
    from collections.abc import Sequence

UNIT = "rotator.service"
PROPERTIES = Path("/run/systemd/generator/rotator-command-.service.d/0-unit.conf")
BUS = Path("/run/dbus/system_bus_socket")
REFUSED = 2

_FOLDERS = tuple(
    Path(folder, "systemd/system")
    for folder in ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib")
)
_PASSED_ON = ("COLORTERM", "COLUMNS", "LANG", "LC_ALL", "NO_COLOR", "TERM")


class Place(Struct, frozen=True):
    """What decides that: who typed it, and where.

    `installed`: systemd runs here and has rotator's unit. `inside`: the command was started by such
    a unit. `own`: the configuration is the installed one. `known`: systemd has read the
    unit. `bus`: there is D-Bus.
    """

    root: bool
    installed: bool
    inside: bool
    own: bool
    known: bool = True
    bus: bool = True

    @property
    def is_the_units(self) -> bool:
        """Tell whether a command that needs what the unit has would lack that here."""
        return self.installed and not self.inside and self.own


def this_place(configuration: Path) -> Place:
    """Return what is so on this machine."""
    cgroup = ""
    with suppress(OSError):
        cgroup = Path("/proc/self/cgroup").read_text()
    return Place(
        root=os.geteuid() == 0,
        installed=Path("/run/systemd/system").is_dir()
        and any((folder / UNIT).exists() for folder in _FOLDERS),
        inside=any(line.rpartition("/")[2].startswith("rotator") for line in cgroup.splitlines()),
        own=configuration == DEFAULT_FILE,
        known=PROPERTIES.exists(),
        bus=BUS.exists(),
    )


def run_there(
    place: Place, command: str, arguments: Sequence[str], document: str | None = None
) -> int | None:
    """Run a command with these `arguments` as the unit does and return its exit code.

    Returns None where the command is to run here. `document`: a file that is given to the command
    as its standard input, because the unit's user may not be able to read it. Where the command can
    run nowhere, says what to type instead: nothing has been touched by then.
    """
    if not place.is_the_units:
        return None
    typed = " ".join(["rotator", *arguments])
    if not place.root:
        return _refuse(f"{DEFAULT_FILE} belongs to the service on this host", f"sudo {typed}")
    if not place.known:
        return _refuse(
            "systemd does not know rotator's unit yet", f"systemctl daemon-reload; {typed}"
        )
    if not place.bus:
        once = command == "run-once"
        instead = "systemctl start rotator-once" if once else f"apt-get install dbus; {typed}"
        return _refuse("systemd runs a command as the unit does only where D-Bus is", instead)
    if document in {None, "-"}:
        return _run(arguments, sys.stdin)
    given = {str(document): "-", f"--document={document}": "--document=-"}
    try:
        with open_plain(Path(str(document))) as opened:
            return _run([given.get(one, one) for one in arguments], opened)
    except OSError as error:
        raise click.UsageError(f"cannot read {document}: {error.strerror}") from None


def _refuse(why: str, instead: str) -> int:
    click.echo(f"rotator: {why}, so nothing was done. Type this:\n  {instead}", err=True)
    return REFUSED


def _run(arguments: Sequence[str], standard_input: Any) -> int:
    import subprocess  # noqa: PLC0415  most commands run here

    unit = f"rotator-command-{os.getpid()}.service"
    environment = [f"--setenv={n}={os.environ[n]}" for n in _PASSED_ON if n in os.environ]
    command = [
        *("systemd-run", "--quiet", "--pipe", "--wait", "--collect", "--service-type=exec"),
        *(f"--unit={unit}", "--description=A command of rotator that root typed", *environment),
        *("--", os.path.abspath(sys.argv[0])),  # noqa: PTH100  a link stays a link
        # systemd expands variables in a command line.
        *(one.replace("$", "$$") for one in arguments),
    ]
    # A session of its own: Ctrl-C reaches us alone, and we pass it on.
    running = subprocess.Popen(command, stdin=standard_input, start_new_session=True)  # noqa: S603
    while True:
        try:
            # Not for longer: Python notices a signal that comes just before a wait begins when that
            # wait ends.
            return running.wait(1)
        except subprocess.TimeoutExpired:
            pass
        except Interrupted as error:
            # Not to its helpers: one that ends first is a failed fetch. --kill-who is what systemd
            # before 252 calls --kill-whom, and later ones take both.
            kill = ["systemctl", "kill", f"--signal={error.number}", "--kill-who=main", unit]
            subprocess.run(kill, check=False)  # noqa: S603
