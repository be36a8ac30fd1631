"""`rotator init`: writes a first configuration, and says which commands come next."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rotator.commands.in_unit import this_place
from rotator.config.advice import advice
from rotator.config.json_schema import FILE, MODELINE, json_schema
from rotator.config.load import load_whole
from rotator.config.typed import completed
from rotator.core.errors import ConfigError
from rotator.system.missing import is_missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rotator.config.advice import Advice

OK = 0

_AUTHS = ("approle", "token", "kubernetes")

# The kinds of sources and targets, which options name too, with the questions about each.
_SOURCES = {
    "ecr": ("AWS region",),
    "vault": (
        "Address of Vault or OpenBao, such as https://vault.example.com",
        "Path of the secret, such as secret/registries/harbor",
    ),
    "helper": ("Name of the helper: gcr for docker-credential-gcr", "Registry"),
    "docker-config": ("Path of the docker config",),
}
_TARGETS = {
    "file": ("Path",),
    "gitlab": ("Address of GitLab", "Path of the group"),
    "configmap": ("NAMESPACE/NAME",),
    "secret": ("NAMESPACE/NAME",),
}
_USUAL = {
    "AWS region": "eu-west-1",
    "Path": "/opt/.docker/config.json",
    "Address of GitLab": "https://gitlab.com",
    "NAMESPACE/NAME": "gitlab-runner/docker-client-config",
}


@dataclass
class Choices:
    """What goes into the configuration, as the options have it."""

    output: Path
    name: str = "dind"
    longest_job: str = "1h"
    ecr: tuple[str, ...] = ()
    account: tuple[str, ...] = ()
    vault: tuple[tuple[str, str], ...] = ()
    registry: str | None = None
    auth: str = "approle"
    role: str | None = None
    helper: tuple[tuple[str, str], ...] = ()
    docker_config: tuple[str, ...] = ()
    file: tuple[str, ...] = ()
    gitlab: tuple[tuple[str, str], ...] = ()
    configmap: tuple[str, ...] = ()
    secret: tuple[str, ...] = ()
    force: bool = False

    def names_one(self, kinds: Iterable[str]) -> bool:
        """Tell whether a source, or a target, of one of these kinds is named."""
        return any(getattr(self, kind.replace("-", "_")) for kind in kinds)


def execute(choices: Choices, *, asks: bool) -> int:
    """Write the configuration; raise `click.UsageError` where something is missing.

    `asks`: there is somebody on a terminal, to whom questions can be put.
    """
    with _writing(choices.output):
        there = not is_missing(choices.output)
        if there and not stat.S_ISREG(choices.output.stat().st_mode):
            shown = "--output - shows the configuration"
            raise click.UsageError(f"{choices.output} is no file; {shown}")
    if there and not choices.force:
        raise click.UsageError(
            f"{choices.output} is there already: --force replaces it, --output FILE writes another"
        )
    if asks and not (choices.names_one(_SOURCES) and choices.names_one(_TARGETS)):
        _ask(choices)
    _complain(choices)
    text = _text(choices)
    for one in _checked(text, choices.output):
        click.echo(f"{one.where}: warning: {one.found}; {one.todo}", err=True)
    if str(choices.output) == "-":
        click.echo(text, nl=False)
        return OK
    _write(text, choices.output)
    click.echo(f"{choices.output} is written, and {choices.output.with_name(FILE)} for editors.")
    for line in _next(choices):
        click.echo(line)
    return OK


def _ask(choices: Choices) -> None:
    """Ask for what no option says."""
    if not choices.names_one(_SOURCES):
        _ask_kind(choices, "Where are the credentials?", _SOURCES)
        if choices.vault:
            choices.auth = click.prompt("Login", type=click.Choice(_AUTHS), default=choices.auth)
    if choices.vault and choices.registry is None:
        choices.registry = click.prompt("Registry that this login is for")
    if choices.vault and choices.role is None and choices.auth != "token":
        choices.role = click.prompt("Role id" if choices.auth == "approle" else "Role")
    if not choices.names_one(_TARGETS):
        _ask_kind(choices, "Where do jobs read them?", _TARGETS, "file")
    choices.longest_job = click.prompt("Longest job", default=choices.longest_job)


def _ask_kind(
    choices: Choices, question: str, kinds: dict[str, tuple[str, ...]], usual: str | None = None
) -> None:
    kind = click.prompt(question, type=click.Choice([*kinds]), default=usual)
    answers = tuple(click.prompt(text, default=_USUAL.get(text)) for text in kinds[kind])
    setattr(choices, kind.replace("-", "_"), (answers if len(answers) > 1 else answers[0],))


def _complain(choices: Choices) -> None:
    if not choices.names_one(_SOURCES):
        raise click.UsageError(
            "no source is named: --ecr REGION, --vault ADDRESS PATH, --helper NAME REGISTRY or "
            "--docker-config PATH"
        )
    if not choices.names_one(_TARGETS):
        raise click.UsageError(
            "no target is named: --file PATH, --gitlab URL GROUP, --configmap NAMESPACE/NAME or "
            "--secret NAMESPACE/NAME"
        )
    if choices.vault and choices.registry is None:
        raise click.UsageError("--vault needs --registry HOST: which registry is this login for?")
    if choices.vault and choices.role is None and choices.auth != "token":
        what = "role id" if choices.auth == "approle" else "role"
        raise click.UsageError(f"--auth {choices.auth} needs --role, the {what} to log in with")
    for place in (*choices.configmap, *choices.secret):
        if place.count("/") != 1:
            raise click.UsageError(f"NAMESPACE/NAME is wanted, not {place}")


def _sources(choices: Choices) -> Iterator[dict[str, Any]]:
    for region in choices.ecr:
        accounts = {"accounts": list(choices.account)} if choices.account else {}
        yield {"type": "ecr", "region": region, **accounts}
    for address, path in choices.vault:
        auth: dict[str, Any] = {"method": choices.auth}
        if choices.auth == "token":
            auth |= {"token_file": "vault-token"}
        elif choices.auth == "approle":
            auth |= {"role_id": choices.role, "secret_id_file": "secret-id"}
        else:
            auth["role"] = choices.role
        where = {"type": "vault", "address": address, "auth": auth, "path": path}
        yield {**where, "registry": choices.registry}
    for helper, registry in choices.helper:
        yield {"type": "credential_helper", "helper": helper, "registries": [registry]}
    for path in choices.docker_config:
        yield {"type": "docker_config", "path": path}


def _targets(choices: Choices) -> Iterator[dict[str, Any]]:
    for path in choices.file:
        yield {"type": "file", "path": path}
    for url, group in choices.gitlab:
        where = {"type": "gitlab_variable", "url": url, "group": group}
        yield {**where, "token_file": "gitlab-token"}
    for kind, places in (
        ("kubernetes_configmap", choices.configmap),
        ("kubernetes_secret", choices.secret),
    ):
        for place in places:
            namespace, _, name = place.partition("/")
            yield {"type": kind, "namespace": namespace, "name": name}


def _text(choices: Choices) -> str:
    import yaml  # noqa: PLC0415  a wrong usage needs none

    rotation = {
        "name": choices.name,
        "longest_job": choices.longest_job,
        "sources": list(_sources(choices)),
        "targets": list(_targets(choices)),
    }
    document = yaml.safe_dump(
        {"version": 1, "rotations": [rotation]}, sort_keys=False, allow_unicode=True, width=100
    )
    return (
        f"{MODELINE}\n"
        "# Written by `rotator init`. Every key with its default: config/rotator.yaml of the\n"
        "# project. longest_job: a job that starts now can pull for this long.\n"
        f"{document}"
    )


def _checked(text: str, output: Path) -> list[Advice]:
    """Return what is probably not meant; raise `click.UsageError` for what is not right."""
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder, "rotator.yaml")
        draft.write_text(text)
        try:
            return advice(output, load_whole(draft, os.environ))
        except ConfigError as error:
            said = str(error).replace(str(draft), str(output))
            raise click.UsageError(f"this is not right, and nothing was written:\n{said}") from None


def _write(text: str, output: Path) -> None:
    with _writing(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, "utf-8")
        output.with_name(FILE).write_text(f"{json.dumps(json_schema(), indent=2)}\n")


@contextmanager
def _writing(output: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        what = f"cannot write {error.filename or output}: {error.strerror}"
        raise click.UsageError(f"{what}; --output FILE writes another file") from None


def _next(choices: Choices) -> Iterator[str]:
    """Yield which secrets to put where, and the next commands."""
    place = this_place(choices.output)
    service = place.installed and place.own
    folder = Path("/etc/credstore") if service else choices.output.absolute().parent
    names = {
        name
        for one in (*_sources(choices), *_targets(choices))
        for name in (one.get("token_file"), *(one.get("auth") or {}).values())
        if name in {"vault-token", "secret-id", "gitlab-token"}
    }
    if names:
        yield "Put rotator's own secrets there:"
        for name in sorted(names):
            yield f"  install -D -m 600 FILE_WITH_THE_SECRET {folder / name}"
    yield "Then type, one after another:"
    reload = "systemctl daemon-reload && " if service else ""  # it learns the secrets' names
    run = "systemctl enable --now rotator" if service else "rotator run"
    for line in (f"{reload}rotator check", "rotator run-once", run):
        yield f"  {completed(line, choices.output)}"
