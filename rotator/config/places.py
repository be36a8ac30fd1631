"""The values that say where something is: paths, registries, URLs, addresses, variables."""

import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated

from rotator.config.types import Value, form, matching, text_of
from rotator.core.docker_entry import registry_key
from rotator.system.secret_input import SECRET_SHAPES

HOST = r"([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
_PORT = (  # 1 to 65535
    "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
)
PORT = f"(:{_PORT})?"
SCHEME = r"[Hh][Tt][Tt][Pp][Ss]?://"
REGISTRY = rf"({SCHEME})?{HOST}{PORT}(/[^\s?#@:*]*)?"
URL = rf"{SCHEME}{HOST}{PORT}(/[^\s?#@]*)?"
UNIX = "unix://"
SOCKET = rf"{UNIX}/[^\s?#@]*[^\s?#@/]"
LISTEN = r"([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]):" + _PORT
VARIABLE = r"[A-Za-z_][A-Za-z0-9_]{0,254}"


def _url(value: object) -> str:
    wanted = "a URL such as https://host.example.com:8200"
    text = text_of(value, wanted)
    if "@" in text:
        raise ValueError(f"{wanted} is wanted, without a user or password in it")
    if not re.fullmatch(URL, text):
        raise ValueError(f"{wanted} is wanted (a port is at most 65535)")
    return text.rstrip("/")


def _server_address(value: object) -> str:
    if not isinstance(value, str) or not value.lower().startswith("unix:"):
        return _url(value)
    if not re.fullmatch(SOCKET, value):
        raise ValueError("the path of a socket is wanted, such as unix:///run/vault/agent.sock")
    return _encodable(value)


def _listen(value: object) -> str:
    wanted = "an address and a port such as 127.0.0.1:9465 (0.0.0.0:9465: every address)"
    text = text_of(value, wanted)
    if not re.fullmatch(LISTEN, text):
        raise ValueError(f"{wanted} is wanted")
    host = text.rpartition(":")[0]
    if host.startswith("["):
        ipaddress.IPv6Address(host[1:-1])
    return text


def _path_text(value: object) -> str:
    text = text_of(value, "a path")
    if text.startswith("~"):
        raise ValueError("`~` is not expanded; write the whole path, such as /home/USER/…")
    if text.startswith("$"):
        raise ValueError("variables are not expanded in a path; write the whole path")
    return _encodable(text)


def _encodable(path: str) -> str:
    try:
        os.fsencode(path)
    except UnicodeEncodeError as error:
        raise ValueError(
            f"a path can't have {path[error.start]!a} where file names are encoded in "
            f"{error.encoding}; set LC_ALL=C.UTF-8 for rotator"
        ) from None
    return path


def _directory(value: object) -> Path:
    text = _path_text(value)
    if not text.startswith("/"):
        raise ValueError("an absolute path is wanted, one that begins with /")
    return Path("/" + os.path.normpath(text).lstrip("/"))


def _file(value: object) -> Path:
    if str(value).endswith("/"):
        raise ValueError("the path of a file is wanted, not of a directory")
    return _directory(value)


def _input_file(value: object, base: Path | None) -> Path:
    text = _path_text(value)
    if SECRET_SHAPES.match(text):
        raise ValueError("this looks like the secret itself; write it to a file and name that file")
    if text.endswith("/"):
        raise ValueError("the path of a file is wanted, not of a directory")
    return Path(base or "/", text)


def _variable(value: object) -> str:
    wanted = "the name of an environment variable"
    text = text_of(value, wanted)
    if not re.fullmatch(VARIABLE, text) or SECRET_SHAPES.match(text):
        raise ValueError(f"{wanted} is wanted, never the secret itself")
    return text


Registry = Annotated[str, matching(REGISTRY, "a registry", registry_key,
    ": host, host:port (to 65535) or host/path, without user, `*` or white space")]  # fmt: skip
Url = Annotated[str, Value(_url, form(URL))]
ServerAddress = Annotated[str, Value(_server_address, form(f"({URL}|{SOCKET})"))]
Listen = Annotated[str, Value(_listen, form(LISTEN, examples=["127.0.0.1:9465"]))]
FilePath = Annotated[Path, Value(_file, form("/.*[^/]"))]
Directory = Annotated[Path, Value(_directory, form("/.*"))]
InputFile = Annotated[Path, Value(_input_file, form("[^~$](.*[^/])?"), beside=True)]
VariableName = Annotated[str, Value(_variable, form(VARIABLE))]
RoleArn = Annotated[str, matching(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/\S+",
    "a role's ARN such as arn:aws:iam::123456789012:role/NAME")]  # fmt: skip
