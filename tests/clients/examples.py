"""Documents that programs take differently; the documentation's table is made from them.

Every one has a good login `good` for the registry that it is about, unless its words say otherwise.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from rotator.core.docker_entry import DOCKER_HUB

HOST = "registry.example.com"
GOOD = "good"
OTHER = "other"


def auth(user: str = GOOD) -> str:
    """Return the `auth` of a user with a test password."""
    return base64.b64encode(f"{user}:s3cr3t-of-{user}".encode()).decode()


def entry(user: str = GOOD, **fields: Any) -> dict[str, Any]:
    """Return an entry with a login."""
    return {"auth": auth(user), **fields}


@dataclass(frozen=True)
class Example:
    """A document, in words and as text, and the registry that a job pulls from.

    `shown`: the documentation's table has a row for it.
    """

    words: str
    text: str
    registry: str = HOST
    shown: bool = True

    def __str__(self) -> str:
        return self.words


def keyed(words: str, *keys: str, registry: str = HOST, shown: bool = True) -> Example:
    """Return a document with the same good login under these keys."""
    auths = {key: entry() for key in keys}
    return Example(words, json.dumps({"auths": auths}), registry, shown)


def beside(words: str, neighbour: Any = None, *, shown: bool = True, **top: Any) -> Example:
    """Return a document with a good entry, another entry beside it, and more at its top."""
    auths: dict[str, Any] = {HOST: entry()}
    if neighbour is not None:
        auths["neighbour.example.com"] = neighbour
    return Example(words, json.dumps({"auths": auths, **top}), shown=shown)


PLAIN = json.dumps({"auths": {HOST: entry()}})
_TWO = {f"{HOST}/team": entry(), f"{HOST}/other": entry(OTHER)}

EXAMPLES = (
    keyed("key `HOST`", HOST),
    keyed("key `https://index.docker.io/v1/`", DOCKER_HUB, registry=DOCKER_HUB),
    # neighbours
    beside("a neighbour whose `auth` is not base64", {"auth": "?"}),
    beside("a neighbour whose `auth` has no colon", {"auth": "YWJj"}, shown=False),
    beside("a neighbour whose `auth` has no user", {"auth": "OmFi"}, shown=False),
    beside("a neighbour whose `auth` lacks its padding", {"auth": "YTpiYw"}, shown=False),
    beside("a neighbour with a number as `auth`", {"auth": 1}),
    beside("a neighbour with a number as `username`", entry(username=1), shown=False),
    beside("a neighbour that is no object", "x", shown=False),
    beside("a neighbour that is null", shown=False, auths={HOST: entry(), "n": None}),
    beside("a neighbour without `auth` (`{}`)", {}),
    beside("a neighbour with `identitytoken` alone", {"identitytoken": "s3cr3t-x"}),
    beside("a neighbour with `registrytoken`", {"registrytoken": "s3cr3t-x"}, shown=False),
    beside("a neighbour with `username` and `password`", {"username": "a", "password": "s3cr3t-b"},
           shown=False),
    beside("`email` beside `auth` in a neighbour", entry(OTHER, email="a@example.com")),
    beside("an unknown field in a neighbour", entry(OTHER, comment=[1]), shown=False),
    beside("`AUTH` in a neighbour", {"AUTH": auth(OTHER)}, shown=False),
    # the top
    beside("`HttpHeaders`, or any other field beside `auths`", HttpHeaders={"X-Team": "a"}),
    beside("an unknown field beside `auths`", comment={"a": [1, None]}, shown=False),
    beside("`HttpHeaders` with a number in it", HttpHeaders={"X": 1}),
    beside("a number as `psFormat`", psFormat=1, shown=False),
    beside("`proxies` with a string as proxy", proxies={"default": "x"}, shown=False),
    beside("`proxies` as it should be", proxies={"default": {"httpProxy": "a"}}, shown=False),
    beside("`proxies` with a number", proxies={"default": {"noProxy": 1}}, shown=False),
    beside("a string as `pruneFilters`", pruneFilters="x", shown=False),
    beside("a number in `cliPluginsExtraDirs`", cliPluginsExtraDirs=[1], shown=False),
    beside("a string in `plugins`", plugins={"a": "b"}, shown=False),
    beside("a list as `aliases`", aliases=[], shown=False),
    beside("null in every field", shown=False, psFormat=None, HttpHeaders={"X": None}, plugins=None,
           pruneFilters=[None]),
    beside("a number as `PSFORMAT`", PSFORMAT=1, shown=False),
    beside("a boolean as `features`", features={"buildkit": True}, shown=False),
    # helpers
    beside("`credHelpers` for the registry, its program missing",
           credHelpers={HOST: "missing-here"}),
    beside("`credHelpers` for another registry, its program missing",
           credHelpers={"neighbour.example.com": "missing-here"}),
    beside("`credsStore`, its program missing", credsStore="missing-here"),
    beside("`credsstore` in small letters", credsstore="missing-here", shown=False),
    beside("an empty `credsStore`", credsStore="", shown=False),
    beside("a number as `credsStore`", credsStore=1, shown=False),
    beside("a number in `credHelpers`", credHelpers={"a": 1}, shown=False),
    beside("`credHelpers` with a path (`../x`) for another registry",
           credHelpers={"neighbour.example.com": "../x"}),
    beside("an empty name in `credHelpers` for the registry, and a `credsStore`",
           credHelpers={HOST: ""}, credsStore="missing-here", shown=False),
    # keys
    keyed("key `https://HOST`", f"https://{HOST}"),
    keyed("key `http://HOST`", f"http://{HOST}", shown=False),
    keyed("key `https://HOST/v1/`", f"https://{HOST}/v1/"),
    keyed("key `HTTPS://HOST`", f"HTTPS://{HOST}", shown=False),
    keyed("key `HOST/`", f"{HOST}/"),
    keyed("key `HOST/v1/`", f"{HOST}/v1/"),
    keyed("key `HOST/v2/`", f"{HOST}/v2/", shown=False),
    keyed("key `HOST` in capitals", HOST.upper()),
    keyed("key `HOST:443`", f"{HOST}:443"),
    keyed("key `HOST` for an image of `HOST:5000`", HOST, registry=f"{HOST}:5000", shown=False),
    keyed("key `HOST:5000` for an image of it", f"{HOST}:5000", registry=f"{HOST}:5000",
          shown=False),
    keyed("key `https://HOST:5000/`", f"https://{HOST}:5000/", registry=f"{HOST}:5000",
          shown=False),
    keyed("a blank before the key", f" {HOST}", shown=False),
    keyed("key `*`", "*", shown=False),
    Example("`HOST` and `https://HOST` with different logins",
            json.dumps({"auths": {HOST: entry(), f"https://{HOST}": entry(OTHER)}})),
    Example("`https://HOST` and `http://HOST` with different logins",
            json.dumps({"auths": {f"http://{HOST}": entry(), f"https://{HOST}": entry(OTHER)}})),
    keyed("`https://HOST` and `http://HOST` with one login", f"http://{HOST}", f"https://{HOST}",
          shown=False),
    keyed("Docker Hub as `docker.io`", "docker.io", registry=DOCKER_HUB),
    keyed("Docker Hub as `index.docker.io`", "index.docker.io", registry=DOCKER_HUB),
    keyed("Docker Hub as `https://docker.io`", "https://docker.io", registry=DOCKER_HUB,
          shown=False),
    keyed("Docker Hub as `https://index.docker.io/v2/`", "https://index.docker.io/v2/",
          registry=DOCKER_HUB),
    keyed("Docker Hub as `registry-1.docker.io`", "registry-1.docker.io", registry=DOCKER_HUB,
          shown=False),
    # paths
    keyed("key `HOST/team` alone, image below it", f"{HOST}/team", registry=f"{HOST}/team"),
    keyed("key `https://HOST/team`, image below it", f"https://{HOST}/team",
          registry=f"{HOST}/team", shown=False),
    Example("`HOST/team` and `HOST` with different logins, image below the path",
            json.dumps({"auths": {f"{HOST}/team": entry(), HOST: entry(OTHER)}}), f"{HOST}/team"),
    Example("`HOST/team` and `HOST`, image not below the path",
            json.dumps({"auths": {f"{HOST}/team": entry(OTHER), HOST: entry()}}), shown=False),
    Example("`HOST/team` and `HOST/other` with different logins",
            json.dumps({"auths": _TWO}), f"{HOST}/team"),
    keyed("key `HOST` for an image in `HOST/team`", HOST, registry=f"{HOST}/team", shown=False),
    # the text
    Example("two `auths` members", f'{{"auths":{{"{HOST}":{{"auth":"{auth()}"}}}},'
            f'"auths":{{"n.example.com":{{"auth":"{auth(OTHER)}"}}}}}}'),
    Example("`AUTHS` in capitals", PLAIN.replace("auths", "AUTHS")),
    Example("`auths` with the long s", PLAIN.replace("auths", "auth\\u017f"), shown=False),
    Example("`auths`, then `AUTHS` with a login of another user", PLAIN[:-1]
            + f',"AUTHS":{{"{HOST}":{{"auth":"{auth(OTHER)}"}}}}}}', shown=False),
    Example("`auths`, then `auths: null`", PLAIN[:-1] + ',"auths":null}', shown=False),
    Example("one key twice", f'{{"auths":{{"{HOST}":{{"auth":"{auth(OTHER)}"}},'
            f'"{HOST}":{{"auth":"{auth()}"}}}}}}', shown=False),
    Example("white space around the document", f"\n {PLAIN}\n\n", shown=False),
    Example("text after the document", f"{PLAIN} x"),
    Example("a second document", f"{PLAIN}\n{PLAIN}", shown=False),
    Example("one brace too many", f"{PLAIN}}}", shown=False),
    Example("a byte order mark", f"\ufeff{PLAIN}"),
    Example("a truncated document", PLAIN[:-2], shown=False),
    Example("a comment", f"// {PLAIN}", shown=False),
    Example("a comma too many", PLAIN.replace("}}}", "}},}"), shown=False),
    Example("an empty text", ""),
    Example("a list", "[]", shown=False),
    Example("null", "null", shown=False),
    Example("`auths` as a list", '{"auths":[]}', shown=False),
    # the entry itself
    Example("`username` and `password` instead of `auth`",
            json.dumps({"auths": {HOST: {"username": GOOD, "password": "s3cr3t-b"}}})),
    Example("`identitytoken` beside `auth`",
            json.dumps({"auths": {HOST: entry(identitytoken="s3cr3t-x")}}), shown=False),
    Example("a line end in the base64",
            json.dumps({"auths": {HOST: {"auth": auth()[:8] + "\n" + auth()[8:]}}}), shown=False),
    Example("a null as `auth`", json.dumps({"auths": {HOST: {"auth": None}}}), shown=False),
    Example("an empty password", json.dumps({"auths": {HOST: {"auth": "Z29vZDo="}}}), shown=False),
    Example("no entry", '{"auths":{}}', shown=False),
)  # fmt: skip
