"""Several kubeconfigs: what `KUBECONFIG=a:b` means is what kubectl makes of it."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from rotator.core.errors import Reason
from rotator.kubernetes.access import Access
from rotator.kubernetes.contexts import load
from rotator.kubernetes.kubeconfig import KubeconfigError
from tests.servers.kubectl import kubectl
from tests.unit.kubernetes.cluster import error_of

ONE: dict[str, Any] = {
    "clusters": [
        {"name": "c1", "cluster": {"server": "https://one", "certificate-authority": "ca.crt"}},
        {"name": "both", "cluster": {"server": "https://first"}},
    ],
    "users": [{"name": "u", "user": {"tokenFile": "token"}}],
    "contexts": [
        {"name": "here", "context": {"cluster": "both", "user": "u"}},
        {"name": "split", "context": {"cluster": "c1", "user": "other"}},
    ],
    "current-context": "",
}
TWO: dict[str, Any] = {
    "clusters": [
        {"name": "both", "cluster": {"server": "https://second", "proxy-url": "http://p"}}
    ],
    "users": [
        {"name": "u", "user": {"token": "s3cr3t-second"}},
        {"name": "other", "user": {"client-certificate": "c.crt", "client-key": "c.key"}},
    ],
    "contexts": [{"name": "here", "context": {"cluster": "gone", "user": "gone"}}],
    "current-context": "here",
}
THREE: dict[str, Any] = {"current-context": "split", "contexts": [], "clusters": [], "users": []}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Three kubeconfigs in directories of their own, and one that is missing."""
    found = {"missing": tmp_path / "missing"}
    for name, document in (("one", ONE), ("two", TWO), ("three", THREE)):
        folder = tmp_path / name
        folder.mkdir()
        found[name] = folder / "config"
        for file in ("ca.crt", "c.crt", "c.key"):
            (folder / file).write_text(f"{file} of {name}")
        found[name].write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", **document}))
    return found


@pytest.mark.parametrize("context", [None, "here", "split"])
@pytest.mark.parametrize("order", ["one two", "one three two", "missing one two", "two one"])
def test_is_merged_as_kubectl_does(files: dict[str, Path], order: str, context: str | None) -> None:
    """The first that sets a name wins, whole; so does the first current context; paths are its."""
    paths = [files[name] for name in order.split()]
    chosen = ["--context", context] if context else []
    done = subprocess.run(
        [kubectl(), "config", "view", "--flatten", "--raw", "--minify", "-ojson", *chosen],
        env={"KUBECONFIG": ":".join(map(str, [*paths, paths[0]]))},
        capture_output=True,
        text=True,
        check=False,
    )
    theirs = json.loads(done.stdout) if done.returncode == 0 else None

    if theirs is None or not theirs["clusters"]:
        with pytest.raises(Exception, match="'gone' in its `clusters`"):
            load(paths, context)
        return
    mine = load(paths, context)
    cluster, user = theirs["clusters"][0]["cluster"], theirs["users"][0]["user"]
    assert mine.cluster.server == cluster["server"]
    assert mine.cluster.proxy_url == cluster.get("proxy-url")
    assert _content(mine.cluster.certificate_authority) == cluster.get("certificate-authority-data")
    assert (mine.user.token and mine.user.token.reveal()) == user.get("token")
    assert (mine.user.token_file and mine.user.token_file.name) == user.get("tokenFile")
    assert _content(mine.user.certificate) == user.get("client-certificate-data")
    assert _content(mine.user.key) == user.get("client-key-data")


def _content(path: object) -> str | None:
    """Return what a file holds, as kubectl shows it."""
    return base64.b64encode(path.read_bytes()).decode() if isinstance(path, Path) else None


def test_the_environment_names_several(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Empty names count for nothing; the error names all of them."""
    monkeypatch.setenv("KUBECONFIG", f":{files['missing']}::{files['three']}")
    error = error_of(Access(service_account=tmp_path))
    assert error.reason is Reason.MALFORMED
    assert f"{files['missing']}:{files['three']}" in error.detail
    assert "'split' in its `contexts`" in error.detail


def test_a_name_that_is_there_twice_in_one_file(tmp_path: Path) -> None:
    """Kubectl refuses it too, as nobody knows which counts."""
    path = tmp_path / "config"
    twice = [{"name": "c", "cluster": {"server": "https://a"}}] * 2
    path.write_text(yaml.safe_dump({"clusters": twice}))
    assert "the name 'c' twice" in error_of(Access(path)).detail


BROKEN = {
    "no mapping": ("[]", "is no kubeconfig"),
    "a section that is no list": ("clusters: {a: b}", "`$.clusters`"),
    "an entry without a name": ("users: [{user: {}}]", "field `name` - at `$.users[0]`"),
    "an entry that is no mapping": ("contexts: [a]", "`$.contexts[0]`"),
    "a name twice": ("clusters: [{name: a}, {name: a}]", "has the name 'a' twice"),
}


@pytest.mark.parametrize(("text", "why"), BROKEN.values(), ids=BROKEN)
def test_broken(tmp_path: Path, text: str, why: str) -> None:
    """The file and the section are named, so that a person finds the place."""
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(KubeconfigError) as caught:
        load([path], None)
    assert why in str(caught.value)
    assert str(path) in str(caught.value)
