"""Others that write a file, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

THEIRS, LATER = '{"auths":{"theirs":{}}}', '{"auths":{"later":{}}}'

AT_THE_EXCHANGE = frozenset({"renameat2"})


def rename_over(path: Path, text: str) -> None:
    """Write as `docker login` does."""
    draft = path.with_name("draft")
    draft.write_text(text)
    draft.replace(path)
