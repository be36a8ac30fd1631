"""`docker login` beside the daemon puts an old document back: it is repaired at once."""

from __future__ import annotations

import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from tests.e2e.running import Daemon
from tests.e2e.site import USER
from tests.support import MARKED, until

if TYPE_CHECKING:
    from tests.e2e.site import Site

LOGINS, AT_ONCE = 100, 4  # fewer at once than the times that a write is tried
WITHIN = 15.0
OLD = {"auth": base64.b64encode(f"{USER}:{MARKED}harbor-0".encode()).decode()}


class Logins:
    """What `docker login` does to the site's file: read it, change it, rename a new one over it.

    Each login is one step, as two that overlap lose each other's entries without any rotator.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.lock = threading.Lock()

    def auths(self) -> dict[str, Any]:
        """Return the entries that the file has now; a file that is not whole fails."""
        found: dict[str, Any] = json.loads(self.site.file.read_text())["auths"]
        return found

    def revert(self, number: int) -> None:
        """Log in to another registry with an old document, in which ours is an old login."""
        with self.lock:
            auths = self.auths()
            auths[self.site.registry.host] = OLD
            auths[f"other-{number}.example.com"] = OLD
            draft = self.site.file.with_name(f"config.json{number}")
            draft.write_text(json.dumps({"auths": auths}, indent="\t"))
            draft.chmod(0o600)
            draft.replace(self.site.file)

    def is_repaired(self) -> bool:
        """Tell whether our entry is back."""
        return bool(self.auths()[self.site.registry.host] != OLD)


def test_a_hundred_logins(site: Site) -> None:
    """Each is repaired within seconds, though targets are read every five minutes only."""
    site.rotation["schedule"] = {"poll": "5m"}
    with Daemon(site) as daemon:
        daemon.ready()
        good, calls = site.published(), site.ecr.calls
        logins = Logins(site)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for first in range(0, LOGINS, AT_ONCE):
                # They meet each other, and the repair of those before them.
                list(pool.map(logins.revert, range(first, first + AT_ONCE)))
                until(logins.is_repaired, WITHIN, f"the repair after login {first + AT_ONCE}")
        published = site.published()
        assert good.items() <= published.items()
        others = {f"other-{number}.example.com" for number in range(LOGINS)}
        assert published.keys() == good.keys() | others
        assert site.ecr.calls == calls
        assert not daemon.events("write failed")
