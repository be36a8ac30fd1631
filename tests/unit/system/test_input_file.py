"""What is opened as a file: plain files, /dev/null, and what a descriptor of ours leads to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rotator.system.input_file import open_plain, read_plain, refuse_special


def test_an_empty_file() -> None:
    """`KUBECONFIG=/dev/null` and its like mean nothing at all."""
    assert read_plain(Path(os.devnull)) == b""


def test_a_descriptor() -> None:
    """A shell's `<(…)` is waited for: somebody writes into it."""
    reader, writer = os.pipe()
    os.write(writer, b"a")
    os.close(writer)
    with open_plain(Path(f"/dev/fd/{reader}")) as file:
        assert file.read() == b"a"
    os.close(reader)


def test_what_is_no_name() -> None:
    """None and True are what settings hold where no file is named."""
    refuse_special(None, True, "/")  # noqa: FBT003  as requests has it
    with pytest.raises(FileNotFoundError):
        refuse_special("/nowhere")
