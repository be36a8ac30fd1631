"""`rotator check --json`, and what it found."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.e2e.site import Result, Site


def check(site: Site, *words: str) -> Result:
    """Run `rotator check --json`."""
    site.write()
    return site.command("check", "--json", *words)
