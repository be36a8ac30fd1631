"""`rotator check`: would the rotations work, and which document did this job use?"""

from __future__ import annotations

import json
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from rotator.app import utc_now
from rotator.commands.common import rotations
from rotator.config.advice import advice
from rotator.observe.progress import Progress, shown
from rotator.signals import telling
from rotator.system.input_file import open_plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence, Sized

    from rotator.config.schema import Configuration, RotationSettings
    from rotator.inspection import Finding

OK, FAILED = 0, 1


class Options(NamedTuple):
    """What `check` was asked for; `names` are all where empty, `document` is a file or `-`."""

    names: tuple[str, ...] = ()
    offline: bool = False
    as_json: bool = False
    consume: bool = False
    document: str | None = None
    quiet: bool = False


def execute(file: Path, configuration: Configuration, options: Options) -> int:
    """Say what was found and return the exit code; the configuration has been checked by now."""
    if options.offline and (options.consume or options.document):
        raise click.UsageError("--offline asks nobody: leave --consume and --document out")
    if options.document and options.consume:
        raise click.UsageError("--document logs in nowhere: leave --consume out")
    chosen = rotations(configuration, options.names)
    if options.document is not None:
        return _document(configuration, chosen, options.document, options)
    found: Mapping[str, Sequence[Finding]] = {one.name: () for one in chosen}
    if not options.offline:
        found = _examined(configuration, chosen, options)
    advised = advice(file, os.environ)
    if options.as_json:
        document = {
            "configuration": str(file),
            "rotations": [{"name": name, **_json(findings)} for name, findings in found.items()],
            "findings": [
                {"level": "warning", "about": one.where, "found": one.found, "todo": one.todo}
                for one in advised
            ],
        }
        click.echo(json.dumps(document))
        return _exit_code(found.values())
    for one in advised:
        click.echo(f"{one.where}: warning: {one.found}; {one.todo}")
    if not options.offline:
        _show(found, options)
    elif not options.quiet:
        counted = ", ".join(
            f"{r.name} ({_some(r.sources, 'source')}, {_some(r.targets, 'target')})" for r in chosen
        )
        click.echo(f"{file} is right: {counted}")
    return _exit_code(found.values())


def _examined(
    configuration: Configuration, chosen: Sequence[RotationSettings], options: Options
) -> dict[str, Sequence[Finding]]:
    """Return what asking everybody finds, by rotation; log what is a bug in rotator."""
    from rotator.checks.run import examine  # noqa: PLC0415  needless for --offline

    progress = Progress()
    with shown(progress, sys.stderr), telling(progress.summary):
        examined = examine(configuration, chosen, utc_now, progress, consume=options.consume)
    named = [(one.case.rotation.name, one.every) for one in examined]
    bugs = [(name, found.bug) for name, every in named for found in every if found.bug]
    if bugs:
        from rotator.observe.logs import configure  # noqa: PLC0415  for what should never happen

        log = configure(configuration.log)
        for name, bug in bugs:
            log.error("check failed", rotation=name, exc_info=bug)
    # A check that hangs may still add to its findings: these are the ones of now.
    return {name: [one for found in every for one in found.all] for name, every in named}


def _some(things: Sized, what: str) -> str:
    return f"{len(things)} {what}{'s' * (len(things) != 1)}"


def _document(
    configuration: Configuration, chosen: Sequence[RotationSettings], name: str, options: Options
) -> int:
    from rotator.checks import document, run, wrapping  # noqa: PLC0415  needless for --offline
    from rotator.inspection import Findings  # noqa: PLC0415

    data = _read(name, wrapping.LARGEST + 1)
    name = _name_of_input() if name == "-" else name
    journal, prove = Findings("journal"), run.prover(configuration)
    cases = [
        run.open_case(configuration.state_dir, rotation, utc_now, prove, journal, consume=False)
        for rotation in chosen
    ]
    findings = [*journal.all, *document.judge(data, name, cases)]
    if options.as_json:
        click.echo(json.dumps({"document": name, **_json(findings)}))
    else:
        _show({name: findings}, options)
    return _exit_code([findings])


def _name_of_input() -> str:
    """Return the name of the file that is given as standard input, if it is one."""
    with suppress(OSError, ValueError):
        if stat.S_ISREG(os.fstat(sys.stdin.fileno()).st_mode):
            return str(Path(f"/proc/self/fd/{sys.stdin.fileno()}").readlink())
    return "standard input"


def _read(name: str, limit: int) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read(limit)
    try:
        with open_plain(Path(name)) as stream:
            return stream.read(limit)
    except OSError as error:
        raise click.UsageError(f"cannot read {name}: {error.strerror}") from None


def _show(found: Mapping[str, Sequence[Finding]], options: Options) -> None:
    """Print the findings, with -q only those that are not ok."""
    from rotator.observe.findings import show  # noqa: PLC0415  rich is slow to load

    show(
        (name, [one for one in findings if not options.quiet or one.level != "ok"])
        for name, findings in found.items()
    )


def _json(findings: Sequence[Finding]) -> dict[str, Any]:
    from rotator.inspection import worst  # noqa: PLC0415  needless for --help

    listed = [
        {"level": str(f.level), "about": f.about, "found": f.found, "todo": f.todo or None}
        for f in findings
    ]
    return {"outcome": str(worst(findings)), "findings": listed}


def _exit_code(found: Iterable[Sequence[Finding]]) -> int:
    failures = (one for findings in found for one in findings if one.level == "failure")
    return FAILED if any(failures) else OK
