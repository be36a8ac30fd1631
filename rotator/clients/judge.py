"""Judges a docker config: what each program takes of it, and what a person should change.

`judge` is the entry point. A problem names the programs that it concerns, so that a caller can
leave out those that never read the document.
"""

from __future__ import annotations

import json
import re
from shlex import quote
from typing import TYPE_CHECKING, NamedTuple

from rotator.clients.document import NotJsonError, parse
from rotator.clients.lookups import LOOKUPS, Consumer, Verdict
from rotator.core.docker_entry import DOCKER_HUB, registry_key, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from rotator.clients.document import Document

ALL = tuple(Consumer)
_GO = (Consumer.RUNNER, Consumer.DOCKER_FILE, Consumer.DOCKER_VARIABLE)
_PLAIN = re.compile("[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_FILE = (Consumer.DOCKER_FILE, Consumer.CONTAINERS)
_VARIABLE = (Consumer.DOCKER_VARIABLE,)
_HELPED = "Docker 29, `docker build`, crane and oras"


class Problem(NamedTuple):
    """Something about the whole document, what to do about it, and the programs it concerns."""

    what: str
    todo: str
    consumers: tuple[Consumer, ...]


class Judgement(NamedTuple):
    """What each program does for each registry, and what is wrong with the document as a whole."""

    verdicts: Mapping[str, Mapping[Consumer, Verdict]]
    problems: tuple[Problem, ...]


def judge(
    text: str, consumers: Iterable[Consumer] = ALL, registries: Iterable[str] = ()
) -> Judgement:
    """Return what these programs take of a document for these registries (default: its own).

    A registry is named as `registry_key` names it.
    """
    consumers = tuple(consumers)
    try:
        document = parse(text)
    except NotJsonError as error:
        verdict = Verdict(taken=False, why=str(error))
        problem = Problem(
            f"no program can read it: {error}; Docker goes on without any login",
            "write it again; rotator makes a new one where it is deleted",
            consumers,
        )
        return Judgement({r: dict.fromkeys(consumers, verdict) for r in registries}, (problem,))
    names = tuple(registries) or tuple(sorted({registry_key(key) for key in document.auths}))
    return Judgement(
        {
            name: {consumer: LOOKUPS[consumer](document, name) for consumer in consumers}
            for name in names
        },
        tuple(problem for problem in _problems(document) if set(problem.consumers) & {*consumers}),
    )


def _problems(document: Document) -> Iterator[Problem]:
    """Yield what concerns more than one registry, what breaks most first."""
    yield from _shape(document)
    yield from _entries(document)
    yield from _helpers(document)
    yield from _beside(document)
    yield from _spellings(document)
    yield from _paths(document)


def _shape(document: Document) -> Iterator[Problem]:
    if document.empty:
        yield Problem(
            "it is empty: Docker then goes on without a login and says nothing",
            "see who emptied it; rotator run-once writes it again",
            ALL,
        )
    if not document.is_object:
        yield Problem("it is no JSON object", "write it again", ALL)
    for name, kind in document.misfits:
        yield Problem(
            f"`{shown(name)}` is not {kind}, so Docker and crane log in nowhere and GitLab Runner "
            "drops the whole document",
            _take_out(name),
            _GO,
        )
    if document.trailing:
        yield Problem(
            "something stands after the document: skopeo and podman can't read it, and "
            "$DOCKER_AUTH_CONFIG is ignored",
            "take out what follows the last brace",
            (Consumer.DOCKER_VARIABLE, Consumer.CONTAINERS),
        )


def _entries(document: Document) -> Iterator[Problem]:
    for key, entry in sorted(document.auths.items()):
        if entry.is_broken:
            yield Problem(
                f"the entry {shown(key)} can't be decoded: Docker loses other entries with it at "
                "random, and GitLab Runner drops the whole document",
                _take_out("auths", key),
                _GO,
            )
        elif entry.fields:
            names = ", ".join(f"`{shown(name)}`" for name in entry.fields)
            own = f"move the entry {shown(key)} into a file of its own, or give it an `auth`"
            yield Problem(
                f"the entry {shown(key)} has {names} beside `auth`: Docker ≥ 28.3 ignores the "
                "whole variable $DOCKER_AUTH_CONFIG for that",
                _take_out("auths", key, *entry.fields[:1]) if entry.auth else own,
                _VARIABLE,
            )
        elif not entry.auth:
            yield Problem(
                f"the entry {shown(key)} has no `auth`: Docker ≥ 28.3 ignores the whole variable "
                "$DOCKER_AUTH_CONFIG for that",
                _take_out("auths", key),
                _VARIABLE,
            )


def _helpers(document: Document) -> Iterator[Problem]:
    if document.store:
        yield Problem(
            f"`credsStore` makes Docker ask docker-credential-{shown(document.store)} for every "
            f"registry, and no login of this document is used; where that program is missing, "
            f"{_HELPED} fail, and GitLab Runner drops the whole document",
            _take_out("credsStore"),
            (Consumer.RUNNER, Consumer.DOCKER_FILE),
        )
    for host, helper in sorted(document.helpers.items()):
        yield Problem(
            f"`credHelpers` makes programs ask docker-credential-{shown(helper)} for "
            f"{shown(host)}; where that program is missing, {_HELPED} fail for this registry, and "
            "GitLab Runner drops the whole document",
            _take_out("credHelpers", host),
            (Consumer.RUNNER, *_FILE),
        )


def _beside(document: Document) -> Iterator[Problem]:
    for name in dict.fromkeys(document.others):
        yield Problem(
            f"`{shown(name)}` stands beside `auths`: Docker ≥ 28.3 ignores the whole variable "
            "$DOCKER_AUTH_CONFIG for that",
            _take_out(name),
            _VARIABLE,
        )
    if document.context:
        yield Problem(
            "`currentContext` names a context of Docker: where that is missing every command fails",
            _take_out("currentContext"),
            (Consumer.DOCKER_FILE,),
        )


def _spellings(document: Document) -> Iterator[Problem]:
    named: dict[str, list[str]] = {}
    for key in sorted(document.auths):
        named.setdefault(registry_key(key), []).append(key)
    for registry, keys in named.items():
        best = registry if registry in keys else None
        if len(keys) > 1:
            others = " and ".join(shown(key) for key in keys if key != best)
            keep = f"keep {shown(best)}" if best else f"keep one, as {shown(registry)}"
            yield Problem(
                f"{' and '.join(map(shown, keys))} are one registry: programs choose differently, "
                "and Docker takes the exact key, or else any of them at random",
                f"{keep}, and take out {others}" if best else keep,
                ALL,
            )
        elif best is None:
            yield Problem(
                f"{shown(keys[0])} is not how every program names this registry",
                f"name it {shown(registry)}",
                tuple(one for one in ALL if not LOOKUPS[one](document, registry).taken),
            )


def _paths(document: Document) -> Iterator[Problem]:
    by_host: dict[str, list[str]] = {}
    for key in sorted(document.auths):
        host, slash, _ = registry_key(key).partition("/")
        if slash and registry_key(key) != DOCKER_HUB:
            by_host.setdefault(host, []).append(key)
    for host, keys in by_host.items():
        names = " and ".join(map(shown, keys))
        todo = f"use one login for {shown(host)}, or give each path a target of its own"
        concerned: tuple[Consumer, ...] = (Consumer.DOCKER_FILE, Consumer.DOCKER_VARIABLE)
        if host in document.auths:
            what = f"{names} beside {shown(host)}: Docker ignores keys with a path then"
        elif len(keys) > 1:
            what = f"{names} are paths of one host: Docker takes one of them at random"
        else:
            what = f"{names} is a path: Docker ≥ 28.3 does not find it in $DOCKER_AUTH_CONFIG"
            concerned = _VARIABLE
        yield Problem(what, todo, concerned)


def _take_out(*path: str) -> str:
    """Return what to type; a step that jq takes as it is needs no quotes."""
    query = "".join(
        f".{step}" if _PLAIN.fullmatch(step) else f"[{json.dumps(step)}]"
        for step in map(shown, path)
    )
    return f"take it out: jq -c {quote(f'del({query})')}"
