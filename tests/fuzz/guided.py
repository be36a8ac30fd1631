"""The fuzz tests, led by what they reach in the code: python -m tests.fuzz.guided record.

Needs atheris (pip install atheris; Linux, Python 3.11 to 3.13). It goes on until something breaks,
or for as long as it is told as libFuzzer is: python -m tests.fuzz.guided record -max_total_time=60
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["rotator", "yaml"]):
    from hypothesis import given
    from hypothesis import strategies as st

    from tests.fuzz import test_core
    from tests.unit.config import test_load_fuzz
    from tests.unit.registry import test_verdict_challenge


@given(st.lists(st.sampled_from(test_load_fuzz.TOKENS), max_size=80))
def configuration(words: list[str]) -> None:
    """The configuration's words in any order."""
    test: Any = test_load_fuzz.test_any_tokens
    test.hypothesis.inner_test(_write, words)


def _write(text: str) -> Path:
    file = Path(tempfile.gettempdir()) / "rotator-guided.yaml"
    file.write_text(text)
    return file


_TESTS: dict[str, Any] = {
    "configuration": configuration,
    "document": test_core.test_any_document_with_any_mark,
    "json": test_core.test_any_json_is_a_docker_config_or_malformed,
    "mark": test_core.test_any_mark_on_what_works,
    "description": test_core.test_any_description,
    "record": test_core.test_any_bytes_are_a_record_or_none,
    "challenge": test_verdict_challenge.test_reads_any_header,
}
TESTS = {name: test.hypothesis.fuzz_one_input for name, test in _TESTS.items()}

if __name__ == "__main__":
    name, options = sys.argv[1], sys.argv[2:]
    atheris.Setup([sys.argv[0], *options], TESTS[name])
    atheris.Fuzz()
