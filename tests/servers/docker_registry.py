"""Debian's `docker-registry` on loopback: with htpasswd, or with a token service of our own."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import socket
import subprocess
import tarfile
import threading
import uuid
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

import pytest
import requests
import yaml

from tests.servers.registry_tokens import ISSUER, SERVICE, TokenService, basic
from tests.support import free_port, need, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SECONDS = 10
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


class DockerRegistry:
    """A real registry. `host` is its name in `auths`; passwords change while it runs.

    `folder` is its own. `with_tokens`: it challenges with Bearer and sends clients to `tokens`, a
    token service that knows the same passwords.
    """

    def __init__(self, folder: Path, *, with_tokens: bool = False) -> None:
        self._folder = folder
        self._htpasswd = need("htpasswd", "apache2-utils")
        self._program = need("docker-registry", "docker-registry")
        self._hashes: dict[str, str] = {}
        self._passwords: dict[str, str] = {}
        self._lock = threading.Lock()
        self._stack = ExitStack()
        self.tokens = TokenService(self._passwords) if with_tokens else None
        self.host = f"127.0.0.1:{free_port()}"
        self.url = f"http://{self.host}"

    def __enter__(self) -> Self:
        """Start it and wait until it answers."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._write_users()
        config = self._folder / "config.yaml"
        config.write_text(yaml.safe_dump(self._config()))
        process = subprocess.Popen(
            [self._program, "serve", str(config)],
            stdout=subprocess.DEVNULL,
            stderr=(self._folder / "log").open("wb"),
        )
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        until(self._answers, what=f"docker-registry on {self.host}")
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self._stack.close()

    def set_password(self, user: str, password: str) -> None:
        """Let the user in with this password from now on, and with no other."""
        # bcrypt looks at 72 bytes at most, and htpasswd takes no more than 255.
        made = subprocess.run(
            [self._htpasswd, "-niB", user],
            input=password[:72],
            capture_output=True,
            text=True,
            check=True,
        )
        with self._lock:
            self._passwords[user] = password
            self._hashes[user] = made.stdout.strip()
            self._write_users()

    def remove(self, user: str) -> None:
        """Let the user in no more."""
        with self._lock:
            del self._passwords[user], self._hashes[user]
            self._write_users()

    def new_user(self, password: str) -> str:
        """Return a user that nobody else uses, with this password."""
        user = f"user-{uuid.uuid4().hex[:12]}"
        self.set_password(user, password)
        return user

    def push_image(self, user: str, repository: str = "tests/tiny", tag: str = "1") -> str:
        """Put a tiny image in, as a known user, and return the name to pull it by."""
        headers = {"Authorization": self._authorization(user, repository)}
        with requests.Session() as session:
            session.trust_env = False
            session.headers.update(headers)
            layer, diff_id = _layer()
            config = json.dumps(
                {
                    "architecture": "amd64",
                    "os": "linux",
                    "config": {},
                    "rootfs": {"type": "layers", "diff_ids": [diff_id]},
                    "history": [{"created": "2026-01-01T00:00:00Z", "created_by": "tests"}],
                }
            ).encode()
            manifest = {
                "schemaVersion": 2,
                "mediaType": _MANIFEST,
                "config": self._put_blob(session, repository, config, _CONFIG),
                "layers": [self._put_blob(session, repository, layer, _LAYER)],
            }
            session.put(
                f"{self.url}/v2/{repository}/manifests/{tag}",
                data=json.dumps(manifest),
                headers={"Content-Type": _MANIFEST},
                timeout=_SECONDS,
            ).raise_for_status()
        return f"{self.host}/{repository}:{tag}"

    def _put_blob(
        self, session: requests.Session, repository: str, blob: bytes, kind: str
    ) -> dict[str, object]:
        digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
        begun = session.post(f"{self.url}/v2/{repository}/blobs/uploads/", timeout=_SECONDS)
        begun.raise_for_status()
        session.put(
            begun.headers["Location"],
            params={"digest": digest},
            data=blob,
            headers={"Content-Type": "application/octet-stream"},
            timeout=_SECONDS,
        ).raise_for_status()
        return {"mediaType": kind, "size": len(blob), "digest": digest}

    def _authorization(self, user: str, repository: str) -> str:
        if self.tokens is not None:
            scope = f"repository:{repository}:pull,push"
            return f"Bearer {self.tokens.token(user, [scope])}"
        return basic(user, self._passwords[user])

    def _answers(self) -> bool:
        host, _, port = self.host.partition(":")
        with socket.socket() as probe:
            return probe.connect_ex((host, int(port))) == 0

    def _write_users(self) -> None:
        new = self._folder / "htpasswd.new"
        new.write_text("".join(f"{line}\n" for line in self._hashes.values()))
        new.replace(self._folder / "htpasswd")

    def _config(self) -> dict[str, object]:
        if self.tokens is None:
            login: dict[str, object] = {
                "htpasswd": {"realm": "tests", "path": str(self._folder / "htpasswd")}
            }
        else:
            self._stack.enter_context(self.tokens)
            bundle = self._folder / "token.pem"
            bundle.write_bytes(self.tokens.certificate_pem)
            login = {
                "token": {
                    "realm": self.tokens.realm,
                    "service": SERVICE,
                    "issuer": ISSUER,
                    "rootcertbundle": str(bundle),
                }
            }
        return {
            "version": 0.1,
            "log": {"level": "error"},
            "storage": {"filesystem": {"rootdirectory": str(self._folder / "data")}},
            "http": {"addr": self.host},
            "auth": login,
        }


def _layer() -> tuple[bytes, str]:
    """Return a layer with one file, and the digest of what is in it."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        content = b"tiny\n"
        entry = tarfile.TarInfo("tiny.txt")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    digest = hashlib.sha256(plain.getvalue()).hexdigest()
    return gzip.compress(plain.getvalue(), mtime=0), f"sha256:{digest}"


@pytest.fixture(scope="session")
def basic_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    """Return a registry that challenges with Basic; make a `new_user()` of your own."""
    with DockerRegistry(tmp_path_factory.mktemp("basic-registry")) as registry:
        yield registry


@pytest.fixture(scope="session")
def token_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    """Return a registry that challenges with Bearer; make a `new_user()` of your own."""
    folder = tmp_path_factory.mktemp("token-registry")
    with DockerRegistry(folder, with_tokens=True) as registry:
        yield registry
