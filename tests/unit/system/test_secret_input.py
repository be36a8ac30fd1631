"""Where a secret stands: a file that is read at each use, or a variable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rotator.core.errors import PermanentError, Reason
from rotator.system.secret_input import SecretInput

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_file_that_was_replaced_counts_at_the_next_use(tmp_path: Path) -> None:
    """A new token on the disk is used without a restart, and its stamp says that it changed."""
    file = tmp_path / "token"
    file.write_text("s3cr3t-old\n")
    secret = SecretInput(file)
    before = secret.stamp()
    assert secret.read().reveal() == "s3cr3t-old"
    (tmp_path / "new").write_text("  s3cr3t-new  ")
    (tmp_path / "new").rename(file)
    assert secret.read().reveal() == "s3cr3t-new"
    assert secret.stamp() != before


CASES: dict[str, tuple[Callable[[Path], object], Reason, str]] = {
    "missing": (lambda file: file, Reason.UNREADABLE, "write the secret there, or correct"),
    "a directory": (lambda file: file.mkdir(), Reason.UNREADABLE, "ls -l"),
    "no text": (lambda file: file.write_bytes(b"\xff"), Reason.UNREADABLE, "as text"),
    "empty": (lambda file: file.write_text(" \n"), Reason.FIELD_MISSING, "write the secret into"),
    "endless": (lambda file: file.symlink_to("/dev/zero"), Reason.UNREADABLE, "a file, and name"),
    "too large": (lambda file: file.write_text("x" * (2 << 20)), Reason.TOO_LARGE, "right file"),
}


@pytest.mark.parametrize("case", CASES)
def test_says_what_is_wrong_with_the_file(tmp_path: Path, case: str) -> None:
    """Each way in which it can't be used has its own words, with the file's name."""
    make, reason, hint = CASES[case]
    file = tmp_path / "token"
    make(file)
    with pytest.raises(PermanentError) as caught:
        SecretInput(file).read()
    assert (caught.value.reason, str(file) in caught.value.detail) == (reason, True)
    assert hint in caught.value.hint


def test_a_variable_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name is told, and that it belongs to the process that runs rotator."""
    monkeypatch.setenv("ROTATOR_TEST_SECRET", " ")
    with pytest.raises(PermanentError, match="ROTATOR_TEST_SECRET is not set"):
        SecretInput(env="ROTATOR_TEST_SECRET").read()
