"""`rotator init`: writes a first configuration, and says which commands come next."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rotator.commands.in_unit import this_place
from rotator.config.json_schema import FILE, MODELINE, json_schema
from rotator.config.load import DEFAULT_FILE, load
from rotator.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

OK = 0

_SOURCES = ("ecr", "vault", "helper", "docker-config")
_TARGETS = ("file", "gitlab", "configmap", "secret")
_AUTHS = ("approle", "token", "kubernetes")
_USUAL_FILE = "/opt/.docker/config.json"


@dataclass
class Choices:
    """What goes into the configuration, as the options have it."""

    output: Path
    name: str = "dind"
    longest_job: str = "1h"
    ecr: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    vault: tuple[tuple[str, str], ...] = ()
    registry: str | None = None
    auth: str = "approle"
    role: str | None = None
    helpers: tuple[tuple[str, str], ...] = ()
    docker_configs: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    gitlab: tuple[tuple[str, str], ...] = ()
    configmaps: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    force: bool = False
    interactive: bool = field(default=False, kw_only=True)

    @property
    def has_source(self) -> bool:
        """Whether a source is named."""
        return bool(self.ecr or self.vault or self.helpers or self.docker_configs)

    @property
    def has_target(self) -> bool:
        """Whether a target is named."""
        return bool(self.files or self.gitlab or self.configmaps or self.secrets)


def execute(choices: Choices) -> int:
    """Write the configuration; raise `click.UsageError` where something is missing."""
    if choices.output.exists() and not choices.force:
        raise click.UsageError(
            f"{choices.output} is there already: --force replaces it, --output FILE writes another"
        )
    if choices.interactive:
        _ask(choices)
    _complain(choices)
    text = _text(choices)
    if str(choices.output) == "-":
        click.echo(text, nl=False)
        return OK
    _check(text, choices.output)
    _write(text, choices.output)
    click.echo(f"{choices.output} is written, and {choices.output.with_name(FILE)} for editors.")
    for line in _next(choices):
        click.echo(line)
    return OK


def _ask(choices: Choices) -> None:
    """Ask for what no option says."""
    if not choices.has_source:
        _ask_source(choices)
    if choices.vault and choices.registry is None:
        choices.registry = click.prompt("Registry that this login is for")
    if choices.vault and choices.role is None and choices.auth != "token":
        choices.role = click.prompt("Role id" if choices.auth == "approle" else "Role")
    if not choices.has_target:
        _ask_target(choices)
    choices.longest_job = click.prompt("Longest job", default=choices.longest_job)


def _ask_source(choices: Choices) -> None:
    kind = click.prompt("Where are the credentials?", type=click.Choice(_SOURCES))
    if kind == "ecr":
        choices.ecr = (click.prompt("AWS region", default="eu-west-1"),)
    elif kind == "vault":
        address = click.prompt("Address of Vault or OpenBao, such as https://vault.example.com")
        path = click.prompt("Path of the secret, such as secret/registries/harbor")
        choices.vault = ((address, path),)
        choices.auth = click.prompt("Login", type=click.Choice(_AUTHS), default=choices.auth)
    elif kind == "helper":
        name = click.prompt("Name of the helper: gcr for docker-credential-gcr")
        choices.helpers = ((name, click.prompt("Registry")),)
    else:
        choices.docker_configs = (click.prompt("Path of the docker config"),)


def _ask_target(choices: Choices) -> None:
    kind = click.prompt("Where do jobs read them?", type=click.Choice(_TARGETS), default="file")
    if kind == "file":
        choices.files = (click.prompt("Path", default=_USUAL_FILE),)
    elif kind == "gitlab":
        url = click.prompt("Address of GitLab", default="https://gitlab.com")
        choices.gitlab = ((url, click.prompt("Path of the group")),)
    else:
        place = click.prompt("NAMESPACE/NAME", default="gitlab-runner/docker-client-config")
        if kind == "configmap":
            choices.configmaps = (place,)
        else:
            choices.secrets = (place,)


def _complain(choices: Choices) -> None:
    if not choices.has_source:
        raise click.UsageError(
            "no source is named: --ecr REGION, --vault ADDRESS PATH, --helper NAME REGISTRY or "
            "--docker-config PATH"
        )
    if not choices.has_target:
        raise click.UsageError(
            "no target is named: --file PATH, --gitlab URL GROUP, --configmap NAMESPACE/NAME or "
            "--secret NAMESPACE/NAME"
        )
    if choices.vault and choices.registry is None:
        raise click.UsageError("--vault needs --registry HOST: which registry is this login for?")
    if choices.vault and choices.role is None and choices.auth != "token":
        what = "role id" if choices.auth == "approle" else "role"
        raise click.UsageError(f"--auth {choices.auth} needs --role, the {what} to log in with")
    for place in (*choices.configmaps, *choices.secrets):
        if place.count("/") != 1:
            raise click.UsageError(f"NAMESPACE/NAME is wanted, not {place}")


def _sources(choices: Choices) -> Iterator[dict[str, Any]]:
    for region in choices.ecr:
        accounts = {"accounts": list(choices.accounts)} if choices.accounts else {}
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
    for helper, registry in choices.helpers:
        yield {"type": "credential_helper", "helper": helper, "registries": [registry]}
    for path in choices.docker_configs:
        yield {"type": "docker_config", "path": path}


def _targets(choices: Choices) -> Iterator[dict[str, Any]]:
    for path in choices.files:
        yield {"type": "file", "path": path}
    for url, group in choices.gitlab:
        where = {"type": "gitlab_variable", "url": url, "group": group}
        yield {**where, "token_file": "gitlab-token"}
    for kind, places in (
        ("kubernetes_configmap", choices.configmaps),
        ("kubernetes_secret", choices.secrets),
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


def _check(text: str, output: Path) -> None:
    """Raise `click.UsageError` where what was named makes no right configuration."""
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder, "rotator.yaml")
        draft.write_text(text)
        try:
            load(draft, os.environ)
        except ConfigError as error:
            said = str(error).replace(str(draft), str(output))
            raise click.UsageError(f"this is not right, and nothing was written:\n{said}") from None


def _write(text: str, output: Path) -> None:
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text)
        output.with_name(FILE).write_text(f"{json.dumps(json_schema(), indent=2)}\n")
    except OSError as error:
        raise click.UsageError(
            f"cannot write {error.filename}: {error.strerror}; --output FILE writes another file"
        ) from None


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
    config = "" if choices.output == DEFAULT_FILE else f" --config {choices.output}"
    reload = "systemctl daemon-reload && " if service else ""  # it learns the secrets' names
    yield f"  {reload}rotator{config} check"
    yield f"  rotator{config} run-once"
    yield "  systemctl enable --now rotator" if service else f"  rotator{config} run"
