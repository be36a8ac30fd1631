"""A rotation to one file, and what a job in a container has of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.unit.checks.described import file_target, login_file, look, rotation
from tests.unit.targets.file.desk import publish

if TYPE_CHECKING:
    from pathlib import Path

    from rotator.inspection import Finding

DOCUMENT = '{"auths":{}}\n'


class Rig:
    """A rotation to one file, which is there."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.settings = file_target(place)
        self.folder = place / "docker"
        self.file = self.folder / "config.json"
        self.file.write_text(DOCUMENT)
        self.file.chmod(0o600)

    def look(self, **more: Any) -> list[Finding]:
        """Return what is found about the file."""
        one = rotation([login_file(self.place)], [self.settings | more])
        return [f for f in look(self.place, one) if f.about == "the file"]

    def renew(self) -> None:
        """Replace the file, as a cycle does."""
        publish(self.file, DOCUMENT)


MOUNTINFO = r"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 27 8:2 /@opt /opt rw,relatime - btrfs /dev/sdb rw
63 43 8:2 /@opt/my\040dir/config.json//deleted /root/.docker/config.json rw - btrfs /dev/sdb rw
"""
