"""No file that rotator writes is one that the configuration names for something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rotator.config.load import load
from rotator.core.errors import ConfigError
from tests.unit.config.documents import ECR, FILE, document, rotation

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.config.conftest import Write

GITLAB = "{type: gitlab_variable, url: https://g, group: g, token_file: @/token, ca_file: @/ca}"
KUBERNETES = "{type: kubernetes_secret, namespace: n, name: o, kubeconfig: @/kube}"
VAULT = (
    "{type: vault, address: 'unix://@/agent', auth: {method: approle, role_id: x, "
    "secret_id_file: @/secret-id}, path: s/x, registry: h.io, client_cert_file: @/cert, "
    "client_key_file: @/key}"
)
ROOT = "state_dir: @/state\nmetrics_file: @/metrics\nregistry_access: {ca_file: @/trust}"


def said(write: Write, text: str) -> list[str]:
    """Return what is said of a document, `@` standing for its folder."""
    file = write("")
    file.write_text(text.replace("@", str(file.parent)))
    try:
        load(file, {})
    except ConfigError as error:
        return [line.removeprefix(f"{file}:").replace(str(file.parent), "@") for line in
                error.problems]  # fmt: skip
    return []


def writing(path: str) -> str:
    """Return a document with a file target in line 11, and paths for every other purpose."""
    sources = (ECR, VAULT, "{type: docker_config, path: @/other, registries: [o.io]}")
    targets = (f"{{type: file, path: {path}}}", GITLAB, KUBERNETES)
    return document(root=ROOT.replace("\n", " \n"), sources=sources, targets=targets)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("rotator.yaml", "this is the configuration itself, which would be overwritten"),
        ("state/r.json", "that is a name of rotator's own files in @/state"),
        ("state/fingerprint.key", "that is a name of rotator's own files in @/state"),
        ("state/daemon.lock", "that is a name of rotator's own files in @/state"),
        ("state", "that is a name of rotator's own files in @/state"),
        ("metrics", "`metrics_file` in line 3 names this file too"),
        ("trust", "`ca_file` in line 4 names this file too"),
        ("secret-id", "`secret_id_file` in line 10 names this file too"),
        ("key", "`client_key_file` in line 10 names this file too"),
        ("agent", "`address` in line 10 names this file too"),
        ("other", "`path` in line 11 names this file too"),
        ("token", "`token_file` in line 14 names this file too"),
        ("ca", "`ca_file` in line 14 names this file too"),
        ("kube", "`kubeconfig` in line 15 names this file too"),
    ],
)
@pytest.mark.parametrize("way", ["", "linked/", "./nowhere/../"])
def test_a_target(write: Write, tmp_path: Path, way: str, name: str, why: str) -> None:
    """A target is no file that has another purpose, whichever way leads there."""
    (tmp_path / "linked").symlink_to(tmp_path)
    problems = said(write, writing(f"@/{way}{name}"))
    place = "13:24: `path`: "
    assert f"{place}{why}; choose a file of its own" in problems


def test_a_link_to_the_configuration(write: Write, tmp_path: Path) -> None:
    """The path's last part may be the link: rotator writes what it leads to."""
    (tmp_path / "link").symlink_to("rotator.yaml")
    assert "the configuration itself" in str(said(write, writing("@/link")))


def test_the_default_place_of_the_journal(write: Write, tmp_path: Path) -> None:
    """Where the configuration does not say where the journal is, its default counts."""
    file = write(document(targets=(f"{{type: file, path: {tmp_path}/state/x.lock}}",)))
    with pytest.raises(ConfigError, match="a name of rotator's own files in"):
        load(file, {"STATE_DIRECTORY": str(tmp_path / "state")})


@pytest.mark.parametrize("name", ["config.json", "docker/r.json", "other.json"])
def test_what_else_is_in_the_state_directory(write: Write, name: str) -> None:
    """A container may have one volume for both."""
    assert said(write, writing(f"@/state/{name}")) == []


@pytest.mark.parametrize("path", ["/dev/null", "/dev/stdout", "/proc/self/fd/1", "/sys/x", "@/out"])
def test_devices(write: Write, tmp_path: Path, path: str) -> None:
    """What the kernel shows as files is no place for a document."""
    (tmp_path / "out").symlink_to("/dev/null")
    (problem,) = said(write, writing(path))
    assert "devices and what the kernel shows are no place for a document" in problem


@pytest.mark.parametrize(
    "name", ["/dev/null", "@/rotator.yaml", "@/trust", "@/state/r.json", "@/state"]
)
def test_metrics(write: Write, name: str) -> None:
    """The metrics are no such file either."""
    (problem,) = said(write, writing("@/f").replace("metrics_file: @/metrics",
        f"metrics_file: {name}"))  # fmt: skip
    assert problem.startswith("3:15: `metrics_file`: ")


def test_what_stays_right(write: Write) -> None:
    """Files beside these, and in memory, are right; so is reading what another rotation writes."""
    assert not said(write, writing("@/f"))
    metrics = ROOT.replace("@/metrics", "@/state/rotator.prom")
    assert not said(write, document(root=metrics))
    assert not said(write, writing("/dev/shm/rotator/config.json"))  # noqa: S108  not written
    reads = rotation(name="b", sources=("{type: docker_config, path: /f, registries: [h.io]}",),
        targets=("{type: file, path: /g}",))  # fmt: skip
    assert not said(write, document(targets=(FILE,)) + reads)


def test_two_targets_through_a_link(write: Write, tmp_path: Path) -> None:
    """A directory under two names is one place."""
    (tmp_path / "real").mkdir()
    (tmp_path / "linked").symlink_to("real")
    one, other = (f"{{type: file, path: @/{way}/config.json}}" for way in ("real", "linked"))
    assert "10:5: this is the place that the target in line 9 writes" in str(
        said(write, document(targets=(one, other)))
    )
    assert "rotation `r` (line 9) writes this place too" in str(
        said(write, document(targets=(one,)) + rotation(name="b", targets=(other,)))
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("type: gitlab_variable, url: https://g, group: Platform/Apps, token_file: t",
         "type: gitlab_variable, url: https://g, group: platform/apps, token_file: t"),
        ("type: gitlab_variable, url: https://g, project: a/B, token_file: t",
         "type: gitlab_variable, url: HTTPS://G:443, project: a/b, token_file: t"),
        ("type: vault_kv, address: https://v, auth: {method: aws}, path: s/x",
         "type: vault_kv, address: https://V/, namespace: '/', auth: {method: aws}, path: s/x"),
    ],
)  # fmt: skip
def test_two_spellings_of_one_place(write: Write, one: str, other: str) -> None:
    """What the server compares without its case is one place."""
    assert "this is the place that the target in line 9 writes" in str(
        said(write, document(targets=(f"{{{one}}}", f"{{{other}}}")))
    )
