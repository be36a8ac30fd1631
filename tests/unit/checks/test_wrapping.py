"""What is around a docker config that somebody pasted."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from rotator.checks.wrapping import unwrap
from rotator.inspection import Findings

CONFIG = '{"auths":{"harbor.example.com":{"auth":"dTpzM2NyM3QtcA=="}}}'


def secret(**more: Any) -> str:
    """Return a Secret as `kubectl get -o json` shows it."""
    data = {"config.json": base64.b64encode(CONFIG.encode()).decode()}
    return json.dumps({"kind": "Secret", "metadata": {"name": "docker"}, "data": data, **more})


UNWRAPPED = {
    "nothing": CONFIG,
    "single quotes": f"'{CONFIG}'",
    "double quotes": json.dumps(CONFIG),
    "double quotes around what is not escaped": f'"{CONFIG}"',
    "base64": base64.b64encode(CONFIG.encode()).decode(),
    "a Secret": secret(),
    "a Secret with a number beside": secret(binaryData={"n": 7}),
    "a Secret without base64": secret(data={"config.json": CONFIG}),
    "YAML": f"kind: ConfigMap\nmetadata: {{name: docker}}\ndata: {{config.json: '{CONFIG}'}}\n",
}


@pytest.mark.parametrize("text", UNWRAPPED.values(), ids=UNWRAPPED)
def test_what_is_taken_off(text: str) -> None:
    """One thing or several: the docker config is what is left."""
    found = unwrap(text.encode(), Findings("pasted"))
    assert found is not None
    assert json.loads(found) == json.loads(CONFIG)


STAYS = {
    "YAML that is none": "kind: Secret\n  data: {",
    "text in a double quote that is not closed": '"auths',
    "what looks like base64 and is none": "QUJDR",
    "base64 of no text": base64.b64encode(b"\x80\x81\x82").decode(),
}


@pytest.mark.parametrize("text", STAYS.values(), ids=STAYS)
def test_what_stays_as_it_is(text: str) -> None:
    """Nobody guesses: clients would not either."""
    assert unwrap(text.encode(), Findings("pasted")) == text
