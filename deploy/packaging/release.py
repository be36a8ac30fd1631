"""`make release VERSION=…`: checks that all is as it should be, sets the version, commits and tags.

    python -m deploy.packaging.release 0.2.0               # then: make dist, make sign, push
    python -m deploy.packaging.release --begin 0.3.0.dev0  # what comes after it is no release
    python -m deploy.packaging.release --sign dist         # signs SHA256SUMS with what is here

The version is in rotator/__init__.py alone. The examples that name an image by its tag follow.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.packaging.source import PROJECT, VERSION, VERSION_FILE, git

if TYPE_CHECKING:
    from collections.abc import Sequence

FORM = re.compile(r"\d+\.\d+\.\d+(?:rc\d+)?")
BEGUN = re.compile(r"\d+\.\d+\.\d+\.dev0")
SUMS = "SHA256SUMS"
TAG = re.compile(r"/rotator:[0-9]|newTag: [0-9]")
"""How the examples name an image of ours."""


def main(words: Sequence[str] | None = None) -> None:
    """Release, begin the next version, or sign what was built."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("version", nargs="?", default="")
    parser.add_argument("--begin", metavar="VERSION")
    parser.add_argument("--sign", type=Path, metavar="DIRECTORY")
    parser.add_argument("--tests", default="make lint test", help="default: %(default)s")
    options = parser.parse_args(words)
    if options.sign:
        sign(options.sign)
    elif options.begin:
        begin(options.begin)
    else:
        release(options.version, options.tests)


def release(version: str, tests: str) -> None:
    """Check, then set the version and tag it. Nothing is changed where a check fails."""
    for wrong in refusals(version):
        raise SystemExit(f"not released: {wrong}")
    if subprocess.run(tests, shell=True, cwd=PROJECT, check=False).returncode:  # noqa: S602  ours
        raise SystemExit(f"not released: the tests fail: {tests}")
    commit(version, f"release: {version}")
    signed = ["--sign"] if git("config", "--default", "", "user.signingkey") else ["--annotate"]
    git("tag", *signed, "--message", f"rotator {version}", f"v{version}")
    then = (
        "make dist && make sign",
        f"git push origin HEAD v{version}",
        "python -m tests.fixtures.make && git add tests/fixtures",
        "make begin VERSION=NEXT.dev0",
    )
    say(f"v{version} is tagged. Next:\n  " + "\n  ".join(then))


def begin(version: str) -> None:
    """Let what is built from here on say that it is no release."""
    if not BEGUN.fullmatch(version):
        raise SystemExit(f"{version!r} is no version to begin: make begin VERSION=1.2.3.dev0")
    if git("status", "--porcelain"):
        raise SystemExit("something is not committed: git status")
    commit(version, f"release: {version} begins")


def commit(version: str, message: str) -> None:
    """Set the version and the examples' image tags."""
    old = current()
    for path in (VERSION_FILE, *with_image_tags()):
        file = PROJECT / path
        text = file.read_text()
        if path == VERSION_FILE:
            text = VERSION.sub(f'__version__ = "{version}"', text)
        else:
            text = retagged(text, old, version)
        file.write_text(text)
    git("commit", "--quiet", "--all", "--message", message)


def refusals(version: str) -> list[str]:
    """Return why this version can't be released now."""
    changelog = (PROJECT / "CHANGELOG.md").read_text()
    found = []
    if not FORM.fullmatch(version):
        found.append(f"{version!r} is no version: make release VERSION=1.2.3")
    elif not re.search(rf"^## {re.escape(version)}\b", changelog, re.MULTILINE):
        found.append(f"CHANGELOG.md has no heading `## {version}`: rename `## Unreleased`")
    elif git("tag", "--list", f"v{version}"):
        found.append(f"v{version} is there already: git tag --list")
    if git("status", "--porcelain"):
        found.append("something is not committed: git status")
    return found


def current() -> str:
    """Return the version that the project has."""
    (found,) = VERSION.findall((PROJECT / VERSION_FILE).read_text())
    version: str = found
    return version


def with_image_tags() -> list[str]:
    """Return the examples that name an image of ours with its tag."""
    words = (
        "--files-with-matches",
        "--extended-regexp",
        TAG.pattern,
        "--",
        "deploy",
        "systemd",
        "templates",
    )
    return git("grep", *words).splitlines()


def retagged(text: str, old: str, new: str) -> str:
    """Return an example with the new version in its image's tag."""
    return text.replace(f"/rotator:{old}", f"/rotator:{new}").replace(
        f"newTag: {old}", f"newTag: {new}"
    )


def sign(folder: Path) -> None:
    """Sign SHA256SUMS, which names everything else, with each key that is given."""
    sums = folder / SUMS
    if not sums.exists():
        raise SystemExit(f"{sums} is not there: make dist")
    commands = signing(sums)
    if not commands:
        raise SystemExit(
            "nothing was signed: no key. Give SIGN_SSH_KEY=FILE (of ssh-keygen), "
            "SIGN_MINISIGN_KEY=FILE, or both"
        )
    for command in commands:
        subprocess.run(command, check=True)
    say(f"signed: {len(commands)} file(s) beside {sums}; how a user checks it: SECURITY.md")


def signing(sums: Path) -> list[list[str]]:
    """Return a command for each key that is given."""
    ssh, minisign = (os.environ.get(f"SIGN_{name}_KEY", "") for name in ("SSH", "MINISIGN"))
    commands = []
    if ssh:
        commands.append(["ssh-keygen", "-Y", "sign", "-n", "file", "-f", ssh, str(sums)])
    if minisign:
        commands.append(["minisign", "-S", "-s", minisign, "-m", str(sums)])
    for program, *_ in commands:
        if shutil.which(program) is None:
            raise SystemExit(f"nothing was signed: {program} is not here")
    return commands


def say(text: str) -> None:
    """Tell the person who waits."""
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main()
