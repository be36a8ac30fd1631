"""`rotator check`: what it prints, and its exit codes."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from tests.support import MARKED
from tests.unit.commands.conftest import HOST

if TYPE_CHECKING:
    from tests.unit.commands.conftest import Site

DOCUMENT = json.dumps({"auths": {HOST: {"auth": "dTpzM2NyM3Qt"}}})


def test_offline(site: Site) -> None:
    """The configuration alone: what is in it, in words and as JSON; nobody is asked."""
    site.login.unlink()
    done = site.type("check", "--offline")
    assert (done.code, done.out) == (0, f"{site.config} is right: dind (1 source, 1 target)\n")
    assert site.type("check", "--offline", "-q").out == ""
    document = site.type("check", "--offline", "--json").json
    assert (document["configuration"], document["findings"]) == (str(site.config), [])
    assert document["rotations"] == [{"name": "dind", "outcome": "ok", "findings": []}]


def test_advice(site: Site) -> None:
    """What is right and not wise is said beside its line, and fails nothing."""
    site.rotation["targets"][0]["path"] = f"/root/x{'/config.json'}"
    site.rotation["sources"][0]["registries"] = [f"{HOST}/a", f"{HOST}/b"]
    done = site.type("check", "--offline")
    assert (done.code, f"{site.config}:" in done.out, ": warning: " in done.out) == (0, True, True)
    [first, *_] = site.type("check", "--offline", "--json").json["findings"]
    assert (first["level"], bool(first["todo"])) == ("warning", True)


def test_everybody_is_asked(site: Site) -> None:
    """Line by line, as JSON, or only what is wrong; a failure is exit code 1."""
    done = site.type("check")
    assert (done.code, "holds 1 login" in done.out) == (0, True)
    assert "holds 1 login" not in site.type("check", "-q").out
    site.login.unlink()
    done = site.type("check", "--json", "dind")
    assert (done.code, done.json["rotations"][0]["outcome"]) == (1, "failure")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--offline", "--consume"], "--offline asks nobody"),
        (["--offline", "--document", "-"], "--offline asks nobody"),
        (["--document", "-", "--consume"], "--document logs in nowhere"),
        (["--document", "/nowhere/config.json"], "cannot read /nowhere/config.json"),
        (["dinb"], "did you mean dind?"),
        (["x"], "there is: dind"),
    ],
)
def test_wrong_usage(site: Site, words: list[str], said: str) -> None:
    """It is named, with exit code 2."""
    done = site.type("check", *words)
    assert (done.code, said in done.err) == (2, True)


def test_a_document(site: Site) -> None:
    """From a file or standard input, in words and as JSON."""
    document = site.folder / "job.json"
    document.write_text(DOCUMENT)
    done = site.type("check", "--document", str(document))
    assert (done.code, f"{document}: " in done.out) == (0, True)
    done = site.type("check", "--document", "-", "--json", stdin=b"{}")
    assert done.code == 1
    assert (done.json["document"], done.json["outcome"]) == ("standard input", "failure")


def test_a_bug_is_logged(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its traceback, beside the findings of the others."""
    monkeypatch.setattr(json, "loads", lambda *_, **__: {}[f"{MARKED}x"])
    site.write()
    done = site.type("check")
    assert done.code == 1
    assert '"event": "check failed"' in done.err


def test_what_to_type_names_the_configuration(site: Site) -> None:
    """Typed as it is printed, a command is about this configuration, also in JSON."""
    site.rotation["sources"][0]["registries"] = [HOST]
    run = f"rotator --config {site.config} run-once dind"
    assert "".join(run.split()) in "".join(site.type("check").out.split())
    [checked] = site.type("check", "--json").json["rotations"]
    assert run in [one["todo"] for one in checked["findings"]]
    empty = json.dumps({"auths": {HOST: {}}}).encode()
    judged = site.type("check", "--json", "--document", "-", stdin=empty).json
    assert run in [one["todo"] for one in judged["findings"]]


def test_a_configuration_that_can_be_read_once(site: Site) -> None:
    """A pipe (`--config <(…)`) is read once, and what is probably not meant is still said."""
    site.rotation["sources"][0]["registries"] = [f"{HOST}/a", f"{HOST}/b"]
    site.write()
    reader, writer = os.pipe()
    os.write(writer, site.config.read_bytes())
    os.close(writer)
    file = f"/dev/fd/{reader}"
    done = site.type_alone("--config", file, "check", "--offline")
    os.close(reader)
    assert (done.code, done.err) == (0, "")
    assert f"{file}:" in done.out
    assert f"{file} is right: dind" in done.out


def test_what_is_said_of_a_damaged_document_is_done(site: Site) -> None:
    """The next cycle repairs it, and the damaged text is where `check` says."""
    site.rotation["sources"][0]["registries"] = [HOST]
    site.file.write_text("{")
    done = site.type("check", "--json")
    warnings = [
        one["found"]
        for rotation in done.json["rotations"]
        for one in rotation["findings"]
        if one["level"] == "warning"
    ]
    assert (done.code, len(warnings)) == (0, 1)
    assert "the damaged text is stored beside it, as *.broken" in warnings[0]
    assert site.type("run-once").code == 0
    assert HOST in site.file.read_text()
    assert site.file.with_name("config.json.broken").read_text().strip() == "{"
