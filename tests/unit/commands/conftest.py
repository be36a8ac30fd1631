"""Commands in this process, on a rotation that asks no server."""

from __future__ import annotations

import io
import json
import logging
import signal
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import yaml

from rotator.__main__ import main
from rotator.signals import ENDING
from tests.support import MARKED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOST = "registry.example.com"


class Result(NamedTuple):
    """The exit code of a command, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The document on standard output."""
        return json.loads(self.out)


class Site:
    """A configuration in a folder of its own, from one docker config to another."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.delenv("COLUMNS", raising=False)
        self.folder = folder
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self.file = folder / "docker" / "config.json"
        self.file.parent.mkdir(mode=0o700)
        self.login = folder / "login.json"
        self.rotation: dict[str, Any] = {
            "name": "dind",
            "prove": "off",
            "sources": [{"type": "docker_config", "path": str(self.login)}],
            "targets": [{"type": "file", "path": str(self.file)}],
        }
        self.more: dict[str, Any] = {}
        self.put(f"{MARKED}1")

    @property
    def config(self) -> Path:
        """The configuration's file."""
        return self.folder / "rotator.yaml"

    def put(self, password: str) -> None:
        """Let the source give this password."""
        self.login.write_text(
            json.dumps({"auths": {HOST: {"username": "u", "password": password}}})
        )
        self.login.chmod(0o600)

    def write(self, *others: dict[str, Any]) -> None:
        """Write the configuration, with other rotations too."""
        document = {"version": 1, "state_dir": str(self.folder / "state"), **self.more}
        self.config.write_text(yaml.safe_dump({**document, "rotations": [self.rotation, *others]}))

    def type(self, *words: str, stdin: bytes = b"") -> Result:
        """Type a command with this configuration."""
        self.write()
        return self.type_alone("--config", str(self.config), *words, stdin=stdin)

    def type_alone(self, *words: str, stdin: bytes = b"") -> Result:
        """Type a command."""
        self._monkeypatch.setattr(sys, "argv", ["rotator", *words])
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = self._capsys.readouterr()
        assert MARKED not in out + err
        code = ended.value.code or 0
        assert isinstance(code, int)
        return Result(code, out, err)


@pytest.fixture
def site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Site]:
    """A configuration with which everything works."""
    logger = logging.getLogger("urllib3.connectionpool")
    level, handlers = logger.level, list(logger.handlers)
    signals = {number: signal.getsignal(number) for number in ENDING}
    yield Site(tmp_path, monkeypatch, capsys)
    for number, handler in signals.items():
        signal.signal(number, handler)
    logger.setLevel(level)  # -vv shows requests in the whole process
    logger.handlers[:] = handlers
