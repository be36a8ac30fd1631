"""`rotator check --document` as a user runs it."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

from tests.e2e.checked import check
from tests.e2e.site import PROGRAM
from tests.support import MARKED

if TYPE_CHECKING:
    from tests.e2e.site import Result, Site


def judged(result: Result, about: str) -> list[str]:
    """Return what was found about one entry of a document."""
    document = json.loads(result.out)
    return [f"{f['level']}: {f['found']}" for f in document["findings"] if f["about"] == about]


def test_which_document_did_this_job_use(site: Site) -> None:
    """A job's document after a rotation: replaced, rejected now, and another one is published."""
    site.run()
    used = site.place / "job.json"
    used.write_bytes(site.file.read_bytes())
    now = check(site, "--document", str(used))
    assert now.code == 0
    assert json.loads(now.out)["outcome"] == "ok"
    site.put(f"{MARKED}harbor-2")
    site.run()
    later = check(site, "--document", str(used))
    assert later.code == 1
    entry = judged(later, site.registry.host)
    assert "ours (rotation site, replaced since), fetched" in entry[0]
    assert "rejects it now" in entry[0]
    assert "publishes another one now (ours, fetched" in entry[1]
    # ECR's old tokens live on: replaced, and still good
    assert "accepts it now" in judged(later, site.ecr.host)[0]


def test_document_from_standard_input(site: Site) -> None:
    """`-` reads what a job printed; a foreign entry is told as such."""
    site.run()
    text = json.dumps({"auths": {"user:s3cr3t-p@127.0.0.1:1": {"auth": "dTpzM2NyM3QtcA=="}}})
    done = subprocess.run(
        [PROGRAM, "--config", site.config, "check", "--document", "-"],
        env=site.environ(),
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("standard input: failure")
    assert "a foreign entry" in done.stdout
    assert "and missing" in done.stdout
    assert MARKED not in done.stdout + done.stderr


def test_empty_document(site: Site) -> None:
    """What a job without the variable has is said plainly."""
    used = site.place / "empty.json"
    used.write_text("")
    result = check(site, "--document", str(used))
    assert result.code == 1
    assert "silently without a login" in result.out
