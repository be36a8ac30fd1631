"""Self-rotation of rotator's own access token: due, durable, and never repeated blindly."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from rotator.config.targets import GitlabVariableTargetSettings
from rotator.core.errors import LoginRejectedError
from rotator.core.model import Policy
from rotator.gitlab import token_file
from rotator.gitlab.token_file import BEGUN, CannotReplaceError, replacing
from rotator.targets.gitlab_variable import GitlabVariableTarget
from tests.fakes.gitlab_access import OWNER, Token

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.gitlab import FakeGitlab

GROUP = "team"
ROTATE = "_tokens/self/rotate"


class Place:
    """A target that renews its own token two weeks ahead, and the clock that it has."""

    def __init__(self, folder: Path, server: FakeGitlab) -> None:
        self.server = server
        self.group = server.add_group(GROUP)
        self.file = folder / "secret" / "gitlab-token"
        self.file.parent.mkdir()
        self.beside = self.file.with_name(".gitlab-token.new")
        self.now = datetime.now(UTC)
        self.give(13)

    def give(self, days: int, **more: Any) -> Token:
        """Write a token that ends after so many days."""
        end = self.server.today + timedelta(days=days)
        token = self.server.add_token({GROUP: OWNER}, expires_at=end, **more)
        token.created_at = f"{end - timedelta(days=90)}T08:00:00.000Z"
        self.file.write_text(f"{token.text}\n")
        self.file.chmod(0o640)
        return token

    def target(self) -> GitlabVariableTarget:
        """Build the target anew, as a new process does."""
        settings = GitlabVariableTargetSettings(
            url=self.server.url, group=GROUP, token_file=self.file, rotate_before=timedelta(days=14)
        )
        return GitlabVariableTarget(settings, Policy(), lambda: self.now)

    def text(self) -> str:
        """Return the token that is in the file."""
        return self.file.read_text().strip()


@pytest.fixture
def place(tmp_path: Path, fake_gitlab: FakeGitlab) -> Place:
    """Return a group and a token that ends in 13 days."""
    return Place(tmp_path, fake_gitlab)


def test_renewed_two_weeks_ahead(place: Place) -> None:
    """The new one lives as long as the old one did, is in its place with its mode, and works."""
    old = place.text()
    (note,) = place.target().read().notes
    assert "was renewed" in note
    new = place.server.token(place.text())
    assert place.text() != old
    life = new.expires_at - place.server.today if new.expires_at else timedelta(0)
    assert timedelta(days=89) <= life <= timedelta(days=90)
    assert place.file.stat().st_mode & 0o777 == 0o640
    assert not place.beside.exists()
    assert place.target().read().notes == ()
    assert place.server.count("POST", ROTATE) == 1


def test_nothing_is_asked_while_nothing_is_due(place: Place) -> None:
    """One question about the token, and none with the next reads."""
    place.give(15)
    target = place.target()
    for _ in range(3):
        assert target.read().notes == ()
    assert place.server.count("GET", "/personal_access_tokens/self") == 1
    assert place.server.count("POST") == 0


def test_targets_share_what_is_known_of_it(place: Place) -> None:
    """A thousand variables with one token ask about it once, and rotate it once."""
    clock = lambda: place.now  # noqa: E731  one clock for all, as a process has it
    settings = place.target().settings
    targets = [
        GitlabVariableTarget(replace(settings, key=f"KEY_{number}"), Policy(), clock)
        for number in range(5)
    ]
    notes = [target.read().notes for target in targets]
    assert [bool(each) for each in notes] == [True, False, False, False, False]
    assert place.server.count("GET", "/personal_access_tokens/self") == 2
    assert place.server.count("POST", ROTATE) == 1


@pytest.mark.parametrize("kind", ["group", "project"])
def test_a_bots_token_is_rotated_where_it_belongs(place: Place, kind: str) -> None:
    """A group's or project's access token has a route of its own."""
    place.give(5, bot=f"{kind}_{place.group.id}")
    assert "was renewed" in place.target().read().notes[0]
    assert place.server.count("POST", f"/{kind}s/{place.group.id}/access{ROTATE}") == 1


def test_a_token_of_one_week_is_not_rotated_again_and_again(place: Place) -> None:
    """The new one lives at least twice as long as the time before its end at which it is due."""
    token = place.give(3)
    token.created_at = f"{place.server.today - timedelta(days=4)}T08:00:00Z"
    place.target().read()
    assert place.target().read().notes == ()
    assert place.server.count("POST", ROTATE) == 1


@pytest.mark.parametrize("shape", ["link", "link beside it", "credentials"])
def test_a_place_that_cannot_be_replaced(
    place: Place, shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried before GitLab is asked; the old token goes on to work, and it is said why."""
    if shape == "link":
        real = place.file.rename(place.file.with_name("..data"))
        place.file.symlink_to(real)
    elif shape == "credentials":
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(place.file.parent))
    else:
        place.file.parent.rename(place.file.parent.with_name("elsewhere"))
        place.file.parent.symlink_to(place.file.parent.with_name("elsewhere"))
        place.file.chmod(0o600)
        place.beside.symlink_to("/nowhere")
    held = place.target().read()
    assert held.text is None
    assert "was not renewed" in held.notes[0]
    assert place.server.count("POST") == 0


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("1 2 0:3 / {parent} rw - nfs4 server:/x rw", "on a nfs4 file system"),
        ("1 2 0:3 /x {file} rw - ext4 /dev/x rw", "is itself a mount point"),
    ],
)
def test_where_it_is_mounted(place: Place, tmp_path: Path, line: str, words: str) -> None:
    """Hosts that share a file system would kill each other's token; a mount point has no rename."""
    table = tmp_path / "self" / "mountinfo"
    table.parent.mkdir()
    table.write_text(line.format(parent=place.file.parent, file=place.file) + "\n")
    with pytest.raises(CannotReplaceError, match=words):
        token_file.check(place.file, tmp_path)


def test_a_refusal_leaves_the_old_token(place: Place) -> None:
    """GitLab says no: nothing stays beside the file, and it is not asked again for an hour."""
    reading = frozenset({"read_personal_access_token", "read_user"})
    place.give(5, granular={GROUP: frozenset({"read_variable"}), "user": reading})
    target = place.target()
    assert "[Personal_Access_Token: Rotate]" in target.read().notes[0]
    assert not place.beside.exists()
    assert target.read().notes == ()
    assert place.server.count("POST", ROTATE) == 1
    place.now += timedelta(hours=2)
    target.read()
    assert place.server.count("POST", ROTATE) == 2


def test_a_lost_answer_is_not_repeated(place: Place) -> None:
    """The old token is dead then: it is tried with a question, never rotated again."""
    place.server.loses_rotations = True
    target = place.target()
    with pytest.raises(LoginRejectedError):
        target.read()  # the read itself shows that the token is dead
    assert place.beside.read_bytes().startswith(BEGUN)
    place.server.loses_rotations = False
    with pytest.raises(LoginRejectedError) as caught:
        place.target().read()
    assert "its answer was lost" in caught.value.detail
    assert str(place.beside) in caught.value.hint
    assert place.server.count("POST", ROTATE) == 1


def test_a_new_token_after_a_lost_answer_is_taken(place: Place) -> None:
    """A person writes another one: the note about the lost one goes after an hour."""
    place.beside.write_bytes(BEGUN)
    place.give(90)
    target = place.target()
    assert "was interrupted" in target.read().notes[0]
    place.now += timedelta(hours=2)
    assert target.read().notes == ()
    assert not place.beside.exists()


def test_a_process_that_died_with_the_new_token(place: Place) -> None:
    """The token was on the disk, not yet in its place: the next process puts it there."""
    new = place.give(90).text
    place.give(5)
    place.beside.write_text(f"{new}\n rest of the note")
    assert "is in place" in place.target().read().notes[0]
    assert place.file.read_text().splitlines()[0] == new
    assert not place.beside.exists()


def test_the_token_is_on_the_disk_before_it_has_its_name(place: Place) -> None:
    """A process that is killed right after GitLab's answer loses nothing."""
    killed = (
        "import os, sys, pathlib\n"
        "from rotator.gitlab import token_file\n"
        "with token_file.replacing(pathlib.Path(sys.argv[1])) as place:\n"
        "    place.begin()\n"
        "    os.rename = lambda *_, **__: os._exit(9)\n"
        "    place.take(sys.argv[2])\n"
    )
    new = place.give(90).text
    place.give(5)
    done = subprocess.run([sys.executable, "-c", killed, place.file, new], check=False, timeout=30)
    assert done.returncode == 9
    assert place.text() != new
    place.target().read()
    assert place.text() == new


def test_two_processes_at_once(place: Place) -> None:
    """Who comes second does nothing: a token is rotated once."""
    with replacing(place.file):
        assert place.target().read().notes == ()
    assert place.server.count("POST") == 0


def test_no_right_to_write(place: Place) -> None:
    """A directory that is not rotator's is said before anything is asked."""
    with pytest.raises(CannotReplaceError, match="can't be read"):
        token_file.check(place.file.with_name("missing"))
    if os.geteuid() != 0:
        place.file.parent.chmod(0o500)
        with pytest.raises(CannotReplaceError, match="may not write"):
            token_file.check(place.file)


@pytest.mark.parametrize("text", [None, "two words"])
def test_an_answer_without_a_token(place: Place, text: str | None) -> None:
    """The old one is dead by then, so a person has to make another."""
    place.server.rotate = lambda *_: {"token": text}  # type: ignore[method-assign]
    with pytest.raises(LoginRejectedError, match="gave no new one"):
        place.target().read()


def test_a_new_token_that_cannot_be_written(place: Place) -> None:
    """The same, with the system's reason."""
    rotate = place.server.rotate

    def and_lose_the_directory(*given: Any) -> Any:
        place.file.parent.rename(place.file.parent.with_name("moved"))
        place.file.parent.with_name("moved").joinpath(place.file.name).unlink()
        place.file.parent.with_name("moved").joinpath(place.beside.name).unlink()
        return rotate(*given)

    place.server.rotate = and_lose_the_directory  # type: ignore[method-assign]
    with pytest.raises(LoginRejectedError, match="can't be written: No such file"):
        place.target().read()


def test_a_file_beside_it_that_says_nothing(place: Place) -> None:
    """It is from a process that died before it had noted anything."""
    place.give(90)
    place.beside.write_bytes(b"#")
    assert place.target().read().notes == ()
    assert not place.beside.exists()


def test_the_new_file_belongs_to_whom_the_old_one_did(place: Place) -> None:
    """Where rotator runs as root, the token's reader may be another user."""
    if os.geteuid() == 0:
        os.chown(place.file, 12345, 54321)
    before = place.file.stat()
    assert "was renewed" in place.target().read().notes[0]
    after = place.file.stat()
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)


def test_a_token_whose_beginning_is_not_known(place: Place) -> None:
    """The new one lives as long as GitLab allows any."""
    place.give(5).created_at = ""
    place.target().read()
    end = place.server.token(place.text()).expires_at
    assert end is not None
    assert end - place.server.today >= timedelta(days=364)
