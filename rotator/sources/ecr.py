"""Amazon ECR and ECR Public: a docker login for 12 hours, got with an AWS identity.

One token is good for every registry in its region that the identity may read, in whatever account
(https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html). Its
documentation ties its end to those 12 hours alone, so an AWS session that ends before does not
count. Nothing revokes it.

A client is cached while the files with its keys stay the same, because the SDK never reads those
again. Other sources of keys (a role, an instance, a program) are asked at each fetch.
"""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from rotator.aws.environment import aws_files, aws_stamp
from rotator.aws.errors import UNPARSED, Call, explain, malformed, server_time
from rotator.aws.identity import keys_for, tried
from rotator.aws.session import SECONDS, Access, new_session
from rotator.core.docker_entry import registry_key
from rotator.core.errors import DriverError, PermanentError, Reason, TemporaryError
from rotator.core.model import Credential, Secret
from rotator.core.ports import Clock, Source
from rotator.system.cache import Cache
from rotator.system.secret_input import digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rotator.config.sources import EcrPublicSourceSettings, EcrSourceSettings

_CLOCKS_AGREE = timedelta(minutes=1)
_HOST = re.compile(r"[a-z0-9.-]+(:[0-9]{1,5})?")
# As the SDK names where it found keys.
_FROM_FILES = frozenset({"env", "shared-credentials-file", "config-file"})


class Api(NamedTuple):
    """What differs between the two: the SDK's name, what IAM must allow, the fixed registry."""

    service: str
    actions: tuple[str, ...]
    registry: str | None


_APIS = {
    "ecr": Api("ecr", ("ecr:GetAuthorizationToken",), None),
    "ecr_public": Api(
        "ecr-public",
        ("ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"),
        "public.ecr.aws",
    ),
}


class EcrSource(Source):
    """Fetches the token with the identity that the settings describe, in one call to ECR."""

    def __init__(
        self,
        settings: EcrSourceSettings | EcrPublicSourceSettings,
        clock: Clock,
        seconds: tuple[float, float] = SECONDS,
    ) -> None:
        super().__init__(settings.name, settings.known_registries())
        self._settings = settings
        self._api = _APIS[settings.type]
        self._clock = clock
        self._further = settings.registries or ()
        self._clients: Cache[tuple[Any, str | None]] = Cache()
        self._access = Access.of(settings, seconds)

    def fetch(self, previous: Sequence[Credential]) -> Sequence[Credential]:  # noqa: ARG002  a token can't be lengthened
        """Return one credential a registry, all with the same token.

        `expires_at` is in terms of our clock: where it and AWS's are more than a minute apart,
        the end that AWS names is moved by the difference.

        Raises `DriverError`.
        """
        if self._api.registry and self._settings.variant().fips:
            raise PermanentError(
                Reason.INVALID,
                "FIPS endpoints are wanted, and ECR Public has none",
                "set `use_fips_endpoint: false` for this source",
            )
        answer = self._call(self._api.service, "get_authorization_token")
        data = answer.get("authorizationData")
        if isinstance(data, list):  # ECR has a list, ECR Public a structure
            data = data[0] if data else None
        if not data or not isinstance(data, dict):
            raise self._malformed("no authorization token")
        username, password = self._login(data)
        now = self._clock()
        expires_at = self._end(data, answer, now)
        return [
            Credential(registry, username, password, now, expires_at)
            for registry in sorted(self.registries or {self._host(data), *self._further})
        ]

    def identity(self) -> str:
        """Return the ARN of our identity; to ask for it needs no permission. Raises as `fetch`."""
        answer = self._call("sts", "get_caller_identity")
        return str(answer.get("Arn", ""))

    def login_stamp(self) -> str:
        """Return what changes when AWS keys, the identity token or the configuration change."""
        settings = self._settings
        return f"{digest(repr(settings))} {aws_stamp(settings.web_identity_token_file)}"

    def _call(self, service: str, operation: str) -> dict[str, Any]:
        name = operation.title().replace("_", "")
        actions = (f"sts:{name}",) if service == "sts" else self._api.actions
        call = Call(f"{name} of {service} in {self._settings.region}", actions)
        client = self._client(service, call)
        try:
            answer: dict[str, Any] = getattr(client, operation)()
        except (BotoCoreError, ClientError) as error:
            # Not `from error`: the SDK's texts repeat signed headers and what a helper printed.
            raise explain(error, call, self._clock()) from None
        except UNPARSED:
            raise self._malformed("what the AWS SDK can't read", service) from None
        return answer

    def _client(self, service: str, call: Call) -> Any:
        """Return a client of the SDK, the same one while its keys' files stay the same."""
        make = partial(self._new_client, service, call)
        files = aws_files(self._settings.web_identity_token_file)
        client, source = self._clients.get(service, files, make)
        if source not in _FROM_FILES:
            self._clients.forget(service)
        return client

    def _new_client(self, service: str, call: Call) -> tuple[Any, str | None]:
        """Return a client, and the SDK's word for where its keys are from; None: from a role."""
        settings, now = self._settings, self._clock()

        def made() -> tuple[Any, str | None]:
            session = new_session(self._access)
            keys = keys_for(self._access, session, now)
            client = session.create_client(
                service,
                region_name=settings.region,
                endpoint_url=None if service == "sts" else settings.endpoint_url,
                verify=None if settings.ca_file is None else str(settings.ca_file),
                **keys.options(),
            )
            return client, keys.source

        return tried(made, self._access, call, now)

    def _login(self, data: Mapping[str, Any]) -> tuple[str, Secret]:
        try:
            text = base64.b64decode(data["authorizationToken"], validate=True).decode()
        except KeyError:
            raise self._malformed("no authorization token") from None
        except (ValueError, TypeError):
            raise self._malformed("an authorization token that is not base64 of a text") from None
        username, colon, password = text.partition(":")
        if not (username and colon and password):
            raise self._malformed("an authorization token that is not USER:PASSWORD")
        return username, Secret(password)

    def _end(self, data: Mapping[str, Any], answer: Mapping[str, Any], now: datetime) -> datetime:
        named = data.get("expiresAt")
        if not isinstance(named, datetime):
            raise self._malformed("a token without expiresAt")
        theirs = server_time(answer) or now
        off = now - theirs
        try:
            named = named.astimezone(UTC)
            end = named + off if abs(off) > _CLOCKS_AGREE else named
        except OverflowError:
            raise self._malformed("an end of the token that no calendar has") from None
        if end <= now:
            raise TemporaryError(
                Reason.EXPIRED,
                f"{self._api.service} in {self._settings.region} gave a token that ended at "
                f"{named:%Y-%m-%d %H:%M:%SZ}; it is {theirs:%Y-%m-%d %H:%M:%SZ} there "
                f"and {now:%Y-%m-%d %H:%M:%SZ} here",
                "compare the clocks: timedatectl; if they agree, look at endpoint_url",
            )
        return end

    def _host(self, data: Mapping[str, Any]) -> str:
        endpoint = data.get("proxyEndpoint")
        host = registry_key(endpoint) if isinstance(endpoint, str) else ""
        if not _HOST.fullmatch(host):
            raise self._malformed("no registry host (proxyEndpoint)")
        return host

    def _malformed(self, what: str, service: str | None = None) -> DriverError:
        gave = f"{service or self._api.service} in {self._settings.region} gave {what}"
        return malformed(gave, "endpoint_url")


build = EcrSource
"""Returns the source that an `ecr` or `ecr_public` entry of the configuration describes."""
