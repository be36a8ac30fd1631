"""`rotator check`: would the rotations work, and which document did this job use?"""

from __future__ import annotations

import json
import os
import stat
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rotator.app import utc_now
from rotator.commands.choose import rotations
from rotator.config.advice import Advice, advice
from rotator.observe.progress import Progress, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence, Sized

    from rotator.checks.run import Examined
    from rotator.config.schema import Configuration, RotationSettings
    from rotator.inspection import Finding

OK, FAILED = 0, 1


@dataclass(frozen=True, slots=True)
class Options:
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
    if options.offline:
        return _offline(file, chosen, options)
    if options.document is not None:
        return _document(configuration, chosen, options)
    from rotator.checks.run import examine  # noqa: PLC0415  needless for --offline

    progress = Progress()
    with shown(progress, sys.stderr):
        try:
            examined = examine(configuration, chosen, utc_now, progress, consume=options.consume)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"nothing was changed; {progress.summary()}") from None
    _report_bugs(configuration, examined)
    findings = [finding for one in examined for finding in one.findings]
    found = advice(file, os.environ)
    if options.as_json:
        printed = [{"name": one.name, **_json(one.findings)} for one in examined]
        click.echo(_document_json(file, printed, found))
    else:
        from rotator.observe.findings import show  # noqa: PLC0415  rich is slow to load

        _show_advice(found)
        show([(one.name, _chosen(one.findings, options)) for one in examined])
    return _exit_code(findings)


def _offline(file: Path, chosen: Sequence[RotationSettings], options: Options) -> int:
    found = advice(file, os.environ)
    if options.as_json:
        printed = [{"name": rotation.name, **_json(())} for rotation in chosen]
        click.echo(_document_json(file, printed, found))
        return OK
    _show_advice(found)
    if not options.quiet:
        counted = ", ".join(
            f"{r.name} ({_some(r.sources, 'source')}, {_some(r.targets, 'target')})" for r in chosen
        )
        click.echo(f"{file} is right: {counted}")
    return OK


def _show_advice(found: Iterable[Advice]) -> None:
    for one in found:
        click.echo(f"{one.where}: warning: {one.found}; {one.todo}")


def _document_json(file: Path, rotations_json: list[Any], found: Iterable[Advice]) -> str:
    findings = [
        {"level": "warning", "about": one.where, "found": one.found, "todo": one.todo}
        for one in found
    ]
    document = {"configuration": str(file), "rotations": rotations_json, "findings": findings}
    return json.dumps(document)


def _some(things: Sized, what: str) -> str:
    return f"{len(things)} {what}{'s' * (len(things) != 1)}"


def _document(
    configuration: Configuration, chosen: Sequence[RotationSettings], options: Options
) -> int:
    from rotator.checks import document, run, wrapping  # noqa: PLC0415  needless for --offline
    from rotator.inspection import Findings  # noqa: PLC0415

    name = options.document or "-"
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
        from rotator.observe.findings import show  # noqa: PLC0415  rich is slow to load

        show([(name, _chosen(findings, options))])
    return _exit_code(findings)


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
        with Path(name).open("rb") as stream:
            return stream.read(limit)
    except OSError as error:
        raise click.UsageError(f"cannot read {name}: {error.strerror}") from None


def _report_bugs(configuration: Configuration, examined: Iterable[Examined]) -> None:
    bugs = [(one.name, bug) for one in examined for bug in one.bugs]
    if bugs:
        from rotator.observe.logs import configure  # noqa: PLC0415  for what should never happen

        log = configure(configuration.log)
        for name, bug in bugs:
            log.error("check failed", rotation=name, exc_info=bug)


def _chosen(findings: Sequence[Finding], options: Options) -> Sequence[Finding]:
    """Return the findings to print: with -q only what is not ok."""
    return [finding for finding in findings if not options.quiet or finding.level != "ok"]


def _json(findings: Sequence[Finding]) -> dict[str, Any]:
    from rotator.inspection import worst  # noqa: PLC0415  needless for --help

    listed = [
        {"level": str(f.level), "about": f.about, "found": f.found, "todo": f.todo or None}
        for f in findings
    ]
    return {"outcome": str(worst(findings)), "findings": listed}


def _exit_code(findings: Iterable[Finding]) -> int:
    return FAILED if any(finding.level == "failure" for finding in findings) else OK
