"""No secret anywhere: everything runs, well and ill, and whatever it leaves behind is searched."""

from __future__ import annotations

import base64
import json
import signal
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rotator.core.errors import Reason
from tests.e2e.haunted import Haunted
from tests.e2e.running import Daemon
from tests.secret_search import SecretSearch
from tests.servers.openbao import sealed
from tests.support import MARKED, free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.site import Site
    from tests.fakes.gitlab import FakeGitlab
    from tests.fakes.kubernetes import FakeKubernetes

BEFORE = [
    "--help", "schema", "status", "check --offline --json", "run-once --dry-run --json",
    "check --json", "check nobody",
]  # fmt: skip
AFTER = [
    "run-once", "run-once --only-due --json", "run-once site --target file:{file}",
    "check --consume", "status", "status --live --json", "check --document {file}",
    "check --document {garbage}", "check --document {half} --json", "--config {file} status",
    "run",
]  # fmt: skip
"""Every command, before anything was published and beside the daemon; `run` is its second."""

PAGES = ("/metrics", "/healthz", "/readyz", "/", "/api/status", "/nowhere")

ELSEWHERE = {
    Reason.BUG, Reason.CONFLICT, Reason.NO_SPACE, Reason.READ_ONLY, Reason.MOUNT_POINT,
    Reason.OVERDUE, Reason.SHORT_LIVED, Reason.TAKEN_OUT,
}  # fmt: skip
"""What needs a disk, a mount, a race, hours or a mistake of ours: other tests have that."""


@pytest.fixture
def haunted(
    site: Site, fake_gitlab: FakeGitlab, fake_kubernetes: FakeKubernetes
) -> Iterator[Haunted]:
    """A site with every driver, every failure, and a secret in every place."""
    with ExitStack() as stack:
        yield Haunted(site, fake_gitlab, fake_kubernetes, stack)


@pytest.mark.timeout(600)  # each command waits for throttles and pending credentials, up to 30 s
def test_no_secret_anywhere(haunted: Haunted) -> None:
    """Logs, output, journal, metrics, pages, children, temporary files, and what is left behind."""
    site, reported = haunted.site, {}
    port = free_port()
    site.top["http"] = {"listen": f"127.0.0.1:{port}"}
    site.write()
    garbage, one_entry = (haunted.published / name / "config.json" for name in ("garbage", "half"))
    places = {"file": site.file, "garbage": garbage, "half": one_entry}

    def type_in(line: str) -> None:
        result = site.command(*line.format(**places).split())
        reported[f"{line}: output"], reported[f"{line}: errors"] = result.out, result.err

    for line in BEFORE:
        type_in(line)
    with Daemon(site) as daemon:
        daemon.ready()
        for line in AFTER:
            type_in(line)
        document = site.command("check", "--document", "-", given=site.file.read_text())
        reported["a document from standard input"] = document.out + document.err
        with sealed(site.bao):
            until(lambda: '"unavailable"' in daemon.log.read_text(), 60, "the seal to be noticed")
            reported.update((f"{path}, sealed", page(port, path)) for path in PAGES)
        inline = site.config.read_text().replace("token_file: vault-token", f"token: {MARKED}file")
        good = site.config.read_text()
        site.config.write_text(inline)
        type_in("check --offline")
        daemon.signal(signal.SIGHUP)
        until(lambda: daemon.events("configuration not reloaded"), 60, "the refusal")
        site.config.write_text(good)
        reported.update((path, page(port, path)) for path in PAGES)
        reported.update(("GET of a secret", page(port, f"/{text}")) for text in ("%00", "x" * 9000))
        assert daemon.process is not None
        reported["arguments"] = Path(f"/proc/{daemon.process.pid}/cmdline").read_text()
        assert daemon.end() == 0

    search = SecretSearch({**haunted.secrets, "ECR": ecr_token(haunted), "inline": f"{MARKED}file"})
    leaks = [leak for place, text in reported.items() for leak in search.in_text(text, place)]
    leaks += search.in_files(site.place, haunted.where_secrets_belong())
    assert sorted({f"{leak.secret}, {leak.form}: {leak.place}" for leak in leaks})[:20] == []
    assert_it_was_searched(haunted, search, reported)


def page(port: int, path: str) -> str:
    """Return an answer of the daemon, its headers too."""
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return f"{answer.status} {answer.getheaders()} {answer.read().decode()}"
    finally:
        connection.close()


def ecr_token(haunted: Haunted) -> str:
    """Return a token that was fetched and published."""
    return haunted.site.published()[haunted.site.ecr.host][1]


def assert_it_was_searched(
    haunted: Haunted, search: SecretSearch, reported: dict[str, str]
) -> None:
    """The secrets were in use, and what was searched is what it should be."""
    found = {leak.secret for leak in search.in_files(haunted.published)}
    assert {"harbor", "helper", "copied", "ECR"} <= found
    log, record = (haunted.place / "log").read_text(), haunted.place / "state" / "site.json"
    said = {reason for reason in Reason if f'"{reason}"' in log}
    assert set(Reason) - ELSEWHERE - said == set()
    assert Reason.BUG not in said
    assert '"level": "debug"' in log
    assert '"event": "published"' in log
    assert json.loads(record.read_text())["credentials"]
    assert "rotator_job_safe" in reported["/metrics"]
    assert "rotator_job_safe" in (haunted.place / "rotator.prom").read_text()
    assert all(reported[f"{line}: output"] for line in BEFORE[:4])
    children = {path.name.rpartition("-")[0]: path.read_bytes() for path in haunted.seen.iterdir()}
    assert {"plugin", "well", "fails", "garbage", "colon", "slow", "endless"} == children.keys()
    assert all(b"PATH=" in given for given in children.values())
    assert not list((haunted.place / "tmp").iterdir())
    planted = base64.b64encode(f"robot:{haunted.secrets['harbor']}".encode()).decode()
    assert search.in_text(json.dumps({"log": planted}), "the search itself")
