"""A session of the AWS SDK that never prompts, ends in time, and asks the configured STS.

What is read of an answer is bounded, as the SDK reads it whole, however long it is. It asks the
listeners of its event `before-send` for an answer, and else gets it itself:
https://docs.aws.amazon.com/boto3/latest/guide/events.html

The SDK's descriptions of AWS and its handlers are loaded once: that is most of the work of a fetch,
and none of it depends on who we are.
"""

from __future__ import annotations

import copy
import functools
import os
import subprocess
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore import credentials
from botocore import exceptions as sdk
from botocore.config import Config
from botocore.exceptions import InvalidConfigError, RefreshWithMFAUnsupportedError
from botocore.hooks import HierarchicalEmitter
from botocore.httpsession import URLLib3Session
from botocore.loaders import Loader
from botocore.parsers import ResponseParserError
from botocore.utils import get_environ_proxies
from msgspec import Struct
from urllib3 import exceptions as http
from urllib3.connection import HTTPConnection

from rotator.core.errors import PermanentError, Reason
from rotator.http.connections import Idle
from rotator.http.reading import body_of
from rotator.system.cache import Cache
from rotator.system.each import note_answer
from rotator.system.input_file import refuse_special
from rotator.system.program import ProgramOutputError, ProgramTimeoutError, run

if TYPE_CHECKING:
    from collections.abc import Sequence

SECONDS = (5.0, 15.0)  # to connect, and for one read
LIMIT = 256 * 1024  # bytes; a token has a few thousand

# As the SDK's own clients have it: else a body waits 40 ms until its head is acknowledged.
_AT_ONCE = HTTPConnection.default_socket_options
_PROCESS_SECONDS, _PROCESS_BYTES = 20.0, 64 * 1024


class Access(Struct, frozen=True):
    """How AWS is reached: what the configuration of a source or of a login says of it."""

    region: str
    profile: str | None = None
    role_arn: str | None = None
    external_id: str | None = None
    session_name: str | None = None
    web_identity_token_file: Path | None = None
    sts_endpoint_url: str | None = None
    ca_file: Path | None = None
    use_fips_endpoint: bool | None = None
    use_dualstack_endpoint: bool | None = None
    seconds: tuple[float, float] = SECONDS

    @classmethod
    def of(cls, settings: Any, seconds: tuple[float, float]) -> Access:
        """Return what a source's settings say."""
        keys = [name for name in cls.__struct_fields__ if name != "seconds"]
        return cls(**{name: getattr(settings, name) for name in keys}, seconds=seconds)


class Session(botocore.session.Session):  # type: ignore[misc]  # published without type information
    """The SDK's session; its own calls to STS, for roles of profiles and pods, go to ours too."""

    sts_endpoint_url: str | None = None
    last_call: str | None = None  # for people: the SDK's own calls are not ours to name

    def create_client(self, service_name: str, *args: Any, **options: Any) -> Any:
        """Return a client; the SDK's own providers of credentials make theirs here too."""
        if service_name == "sts" and self.sts_endpoint_url:
            options["endpoint_url"] = self.sts_endpoint_url
        if options.get("endpoint_url"):
            # The SDK refuses an endpoint together with FIPS or dual stack; ours is one already.
            plain = Config(use_fips_endpoint=False, use_dualstack_endpoint=False)
            config = options.get("config")
            options["config"] = config.merge(plain) if config else plain
        return super().create_client(service_name, *args, **options)


def new_session(access: Access) -> Session:
    """Return a new session, which searches for its identity again."""
    session = Session(
        event_hooks=copy.copy(_handlers()), include_builtin_handlers=False, profile=access.profile
    )
    session.register_component("data_loader", _descriptions())
    session.sts_endpoint_url = access.sts_endpoint_url
    session.set_config_variable("region", access.region)
    for name in ("use_fips_endpoint", "use_dualstack_endpoint"):
        if (wanted := getattr(access, name)) is not None:
            session.set_config_variable(name, wanted)
    session.set_default_client_config(
        Config(
            connect_timeout=access.seconds[0],
            read_timeout=access.seconds[1],
            retries={"total_max_attempts": 1},
            user_agent_extra="rotator",
        )
    )
    bound(session, access.ca_file, access.seconds)
    session.register("before-call", functools.partial(_remember, session))
    return session


def unattended(session: Session) -> None:
    """Let the session's providers of credentials neither prompt nor run without end.

    The SDK asks for the code of a second factor on the terminal, and lets the program of a profile
    (`credential_process`) have the terminal and all the time that it wants. It offers both as
    arguments of its classes, but makes the objects itself. So two private names are set.
    """
    for provider in session.get_component("credential_provider").providers:
        if isinstance(provider, credentials.AssumeRoleProvider):
            provider._prompter = _refuse  # noqa: SLF001
            builder = provider._profile_provider_builder  # noqa: SLF001
            builder._create_process_provider = functools.partial(_program, session)  # noqa: SLF001
        elif isinstance(provider, credentials.ProcessProvider):
            provider._popen = _Program  # noqa: SLF001


def _remember(session: Session, model: Any, **_: Any) -> None:
    session.last_call = f"{model.name} of {model.service_model.service_name}"


def _refuse(_: str) -> str:
    raise RefreshWithMFAUnsupportedError


def _program(session: Session, profile_name: str) -> credentials.ProcessProvider:
    return credentials.ProcessProvider(profile_name, lambda: session.full_config, _Program)


class _Program:
    """A profile's program, as the SDK runs one: without a terminal, and bounded."""

    returncode = 0

    def __init__(self, command: Sequence[str], **_: Any) -> None:
        self._command = command

    def communicate(self) -> tuple[bytes, bytes]:
        """Run it; its standard error goes nowhere, as a secret may be in it."""
        name = self._command[0] if self._command else ""
        try:
            self.returncode, output = run(
                self._command, b"", os.environ.copy(), _PROCESS_SECONDS, _PROCESS_BYTES
            )
        except ProgramTimeoutError:
            raise ProgramError(name, f"did not end within {_PROCESS_SECONDS:g} s") from None
        except ProgramOutputError:
            raise ProgramError(name, f"printed more than {_PROCESS_BYTES} bytes") from None
        except (OSError, IndexError, subprocess.SubprocessError) as error:
            why = error.strerror if isinstance(error, OSError) else ""
            raise ProgramError(name, f"can't be started: {why or 'it has no name'}") from None
        if self.returncode:
            raise ProgramError(name, f"ended with exit code {self.returncode}")
        return output, b""


class ProgramError(InvalidConfigError):  # type: ignore[misc]  # published without type information
    """A profile's program gave no keys; `program` and `what` may be shown."""

    def __init__(self, program: str, what: str) -> None:
        super().__init__(error_msg=what)
        self.program = program
        self.what = what


@functools.cache
def _handlers() -> HierarchicalEmitter:
    """Return the SDK's own handlers; registering one means inspecting it, and there are 120."""
    hooks = HierarchicalEmitter()
    botocore.session.Session(event_hooks=hooks)
    return hooks


# The process's one loader, which keeps what it has read.
_descriptions = functools.cache(Loader)


class _Http(URLLib3Session):  # type: ignore[misc]  # published without type information
    """The SDK's HTTP: hours pass between two calls, so a connection is for those of one fetch."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._idle = Idle(self.close)

    def send(self, request: Any) -> Any:
        """Return the answer to a request."""
        self._idle.end()
        return super().send(request)


# For all clients: reading the authorities to trust takes longer than a call.
_sessions: Cache[_Http] = Cache()


def bound(session: Session, ca_file: Path | None, seconds: tuple[float, float]) -> None:
    """Let every answer end after `LIMIT` bytes, and after the time of two reads."""
    bundle = session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE")
    verify = str(ca_file) if ca_file else bundle or True
    session.register("before-send", functools.partial(_answer, verify, seconds))


def _answer(verify: str | bool, seconds: tuple[float, float], request: Any, **_: Any) -> Any:  # noqa: FBT001  as the SDK has it
    try:
        refuse_special(verify)
    except OSError as error:
        raise PermanentError(
            Reason.UNREADABLE,
            f"cannot read the certificates to trust in {verify}: {error.strerror}",
            f"put PEM certificates there, readable for rotator: ls -l {verify}",
        ) from None
    proxies = get_environ_proxies(request.url)
    http = _sessions.get(
        (verify, seconds, *sorted(proxies.items())),
        [Path(verify)] if isinstance(verify, str) else [],
        functools.partial(_Http, verify, proxies, timeout=seconds, socket_options=_AT_ONCE),
    )
    request.stream_output = True
    answer = http.send(request)
    note_answer()
    try:
        # Where the SDK keeps a body that it has read.
        answer._content = _whole(answer, request.url, time.monotonic() + 2 * seconds[1])  # noqa: SLF001
    except BaseException:
        answer.raw.close()
        raise
    return answer


def _whole(answer: Any, url: str, deadline: float) -> bytes:
    try:
        data = body_of(answer.raw, answer.headers.get("Content-Encoding", ""), LIMIT + 1, deadline)
    except (http.ReadTimeoutError, TimeoutError) as error:
        raise sdk.ReadTimeoutError(endpoint_url=url, error=error) from error
    except http.HTTPError as error:
        raise sdk.HTTPClientError(error=error) from error
    except zlib.error:
        raise ResponseParserError("it can't be unpacked") from None
    if len(data) > LIMIT:
        raise ResponseParserError("it is too long")
    return data
