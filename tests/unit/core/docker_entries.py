"""Entries of docker configs: what real clients take, and what none can decode.

The tables hold what Docker CLI 28.2, skopeo 1.9 and podman 4.3 did when they were tried.
"""

from __future__ import annotations

import base64
from typing import Any

import pytest

HOST = "registry.example.com"


def base64_of(text: str) -> str:
    """Return padded standard base64."""
    return base64.b64encode(text.encode()).decode()


GOOD = {"auth": base64_of("someone:s3cr3t-of-theirs")}


LOGINS: list[Any] = [
    pytest.param(GOOD, ("someone", "s3cr3t-of-theirs"), id="auth"),
    pytest.param({"auth": base64_of("a:b:c")}, ("a", "b:c"), id="colon in the password"),
    pytest.param({"auth": base64_of("ü:ß")}, ("ü", "ß"), id="UTF-8"),
    pytest.param({"auth": base64_of("a:" + "x" * 4096)}, ("a", "x" * 4096), id="long"),
    pytest.param({"auth": "YTpi\r\nYw=="}, ("a", "bc"), id="line break, as Go skips it"),
    pytest.param({**GOOD, "email": "a@b"}, ("someone", "s3cr3t-of-theirs"), id="more fields"),
    pytest.param({"username": "a", "password": "b"}, ("a", "b"), id="plain, docker only"),
    pytest.param({**GOOD, "email": None}, ("someone", "s3cr3t-of-theirs"), id="null field"),
    pytest.param({"Auth": GOOD["auth"]}, ("someone", "s3cr3t-of-theirs"), id="other case"),
    pytest.param({}, None, id="nothing: it is in a store"),
    pytest.param(None, None, id="null"),
    pytest.param({"auth": None}, None, id="null auth"),
    pytest.param({"auth": ""}, None, id="empty auth"),
    pytest.param({"identitytoken": "s3cr3t-x"}, ("<token>", "s3cr3t-x"), id="identity token"),
    pytest.param({"registrytoken": "s3cr3t-x"}, None, id="registry token"),
    pytest.param({"auth": base64_of("a:")}, None, id="no password"),
    pytest.param({"auth": base64.b64encode(b"\xff:\xff").decode()}, None, id="not UTF-8"),
    pytest.param({"username": "a"}, None, id="username alone"),
    pytest.param({"username": "\ud800", "password": "b"}, None, id="half a character"),
]


UNUSABLE: list[Any] = [
    pytest.param({"auth": base64_of("no colon")}, id="no colon"),
    pytest.param({"auth": base64_of(":no user")}, id="no user"),
    pytest.param({"auth": "?"}, id="not base64"),
    pytest.param({"auth": "YTpiYw"}, id="no padding"),
    pytest.param({"auth": "YTpiYw="}, id="too little padding"),
    pytest.param({"auth": "YTpiYw== "}, id="trailing space"),
    pytest.param({"auth": "YTo_Pz8_"}, id="the other base64 alphabet"),
    pytest.param({"auth": "YTpüYw=="}, id="not ASCII"),
    pytest.param({"auth": 1}, id="auth is a number"),
    pytest.param({**GOOD, "identitytoken": {}}, id="token is an object"),
    pytest.param({"username": ["a"]}, id="username is a list"),
    pytest.param("text", id="entry is text"),
    pytest.param({"Auth": "?"}, id="not base64, other case"),
    pytest.param({**GOOD, "EMAIL": 1}, id="wrong type, other case"),
    pytest.param([], id="entry is a list"),
]
