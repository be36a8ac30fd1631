"""The documentation as a site: every link leads somewhere, and it fits a telephone."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest

from docs import pages
from rotator.cli import cli
from rotator.config.json_schema import json_schema
from tests.e2e.test_status_page import Tab, chromium  # noqa: F401  a fixture

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site; a link that leads nowhere fails it."""
    place = tmp_path_factory.mktemp("site")
    pages.main(place)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mkdocs",
            "build",
            "--strict",
            "--config-file",
            place / "mkdocs.yml",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return place / "site"


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Serve it."""
    handler = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def shown(site: Path) -> list[str]:
    """Return the address of every page in the menu, below the site's."""
    found = [path.parent.relative_to(site).as_posix() for path in site.rglob("index.html")]
    return ["" if path == "." else f"{path}/" for path in sorted(found)]


def test_every_page_is_there(site: Path) -> None:
    """What the project has, and the two references."""
    assert {"", "deploy/", "reference/configuration/", "reference/commands/", "SECURITY/",
            "ARCHITECTURE/", "CHANGELOG/"} <= set(shown(site))  # fmt: skip
    written = [*pages.PROJECT.glob("*.md"), *pages.PROJECT.glob("deploy/**/*.md")]
    assert {path.relative_to(pages.PROJECT).as_posix() for path in written} <= pages.PAGES.keys()


def test_links_lead_somewhere(site: Path) -> None:
    """Whatever a page links to within the site is a file of it."""
    for path in site.rglob("index.html"):
        for link in re.findall(r'<a [^>]*href="(?![a-z]+:|#)([^"#?]+)', path.read_text()):
            target = path.parent / unquote(link)
            assert (target / "index.html" if target.is_dir() else target).is_file(), (path, link)


def test_nothing_comes_from_elsewhere(site: Path) -> None:
    """No script, style, font or picture of another place is named."""
    for path in [*site.rglob("*.html"), *site.rglob("*.css")]:
        text = path.read_text()
        assert re.findall(r'<(?:script|img|iframe)[^>]+src="(?:https?:)?//[^"]+', text) == []
        linked = re.findall(r'<link[^>]+rel="(?!canonical)[^>]+href="((?:https?:)?//[^"]+)', text)
        assert linked == []
        assert re.findall(r"url\(['\"]?(?:https?:)?//", text) == []


def test_the_references_are_whole(site: Path) -> None:
    """Each key of the configuration, each command and each option has its place."""
    text = (site / "reference/configuration/index.html").read_text()
    schema = json_schema()
    known = [schema, *schema["$defs"].values()]
    for key in {key for one in known for key in one.get("properties", {})}:
        assert f"<code>{key}</code>" in text
    assert "[&#x27;" not in text
    assert "['" not in text
    help_text = (site / "reference/commands/index.html").read_text()
    for name, command in cli.commands.items():
        assert f"rotator {name}" in help_text
        for option in command.params:
            assert all(word in help_text for word in option.opts if word.startswith("--"))


@pytest.mark.parametrize("width", [360, 1280])
def test_fits(chromium: Any, address: str, site: Path, width: int) -> None:  # noqa: F811
    """No page scrolls sideways, and the browser asks nobody else for anything."""
    for page in shown(site):
        tab = Tab(chromium, address + page, width)
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= width, page
        assert [
            url for url in tab.requests if not url.startswith((address, "data:", "blob:"))
        ] == []
        assert tab.complaints == [], page
        assert (
            len(tab.shot(f"site-{page.strip('/').replace('/', '-') or 'index'}-{width}")) > 10_000
        )
        tab.context.close()
