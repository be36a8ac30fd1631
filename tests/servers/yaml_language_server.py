"""The language server for YAML that editors use, from npm, spoken to as an editor does.

It is installed once and kept below `$XDG_CACHE_HOME` (default ~/.cache).
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.support import missing, need

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION = "2.0.0"
_SECONDS = 60.0


def installed() -> Path:
    """Return the program; install it where it is not there."""
    need("node", "nodejs")
    npm = need("npm", "npm")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "rotator-tests")
    folder = cache / f"yaml-language-server-{VERSION}"
    program = folder / "node_modules/yaml-language-server/bin/yaml-language-server"
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(folder)]
        done = subprocess.run(
            [*command, f"yaml-language-server@{VERSION}"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            missing("yaml-language-server", f"npm install yaml-language-server@{VERSION}")
    return program


class Editor:
    """A running language server; a context manager."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen(
            ["node", program, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._heard: Queue[dict[str, Any]] = Queue()
        self._number = 0
        Thread(target=self._listen, daemon=True).start()

    def __enter__(self) -> Self:
        """Say hello; nothing is fetched from anywhere."""
        self.ask("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
        self._tell("initialized", {})
        yaml = {"schemaStore": {"enable": False}, "validate": True, "completion": True}
        self._tell("workspace/didChangeConfiguration", {"settings": {"yaml": yaml}})
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._process.kill()
        self._process.wait(10)

    def complaints(self, file: Path) -> list[tuple[int, str]]:
        """Return what is marked in a file: the line, from 1, and the message."""
        self._open(file)
        heard = self._wait(
            lambda one: (
                one.get("method") == "textDocument/publishDiagnostics"
                and one["params"]["uri"] == file.as_uri()
            )
        )
        marked = heard["params"]["diagnostics"]
        return [(one["range"]["start"]["line"] + 1, str(one["message"])) for one in marked]

    def completions(self, file: Path, line: int, column: int) -> set[str]:
        """Return what is offered at a place of a file, both from 0."""
        self._open(file)
        place = {"line": line, "character": column}
        about = {"textDocument": {"uri": file.as_uri()}, "position": place}
        offered = self.ask("textDocument/completion", about)
        return {str(one["label"]) for one in offered["items"]}

    def ask(self, method: str, about: dict[str, Any]) -> Any:
        """Return the answer to a request."""
        self._number += 1
        number = self._number
        self._send({"id": number, "method": method, "params": about})
        return self._wait(lambda one: one.get("id") == number and "method" not in one)["result"]

    def _open(self, file: Path) -> None:
        document = {"uri": file.as_uri(), "languageId": "yaml", "version": 1}
        self._tell("textDocument/didOpen", {"textDocument": {**document, "text": file.read_text()}})

    def _tell(self, method: str, about: dict[str, Any]) -> None:
        self._send({"method": method, "params": about})

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        while line := self._process.stdout.readline():
            if line.lower().startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
                while self._process.stdout.readline().strip():
                    pass
                self._heard.put(json.loads(self._process.stdout.read(length)))

    def _wait(self, wanted: Any) -> dict[str, Any]:
        """Return the message that is wanted; answer what the server asks in between."""
        deadline = time.monotonic() + _SECONDS
        while True:
            try:
                one = self._heard.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                pytest.fail("the language server did not answer")
            if "method" in one and "id" in one:
                items = one["params"].get("items", []) if isinstance(one["params"], dict) else []
                self._send({"id": one["id"], "result": [None for _ in items]})
            elif wanted(one):
                return one


@pytest.fixture(scope="module")
def editor() -> Iterator[Editor]:
    """Give a language server that runs."""
    with Editor(installed()) as running:
        yield running
