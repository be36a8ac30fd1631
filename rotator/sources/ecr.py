"""Amazon ECR and ECR Public: a docker login for 12 hours, got with an AWS identity.

One token is good for every registry in its region that the identity may read, in whatever account
(https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html). Its
documentation ties its end to those 12 hours alone, so an AWS session that ends before does not
count. Nothing revokes it.

A client is kept while the files that its keys are read from stay the same: the SDK never looks
again at those. What else gives keys (a role, an instance, a program) is asked anew at each fetch.
"""

from __future__ import annotations

import base64
import os
import re
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from rotator.core.docker_config import registry_key
from rotator.core.errors import PermanentError, Reason, TemporaryError
from rotator.core.model import Credential, Secret
from rotator.core.ports import Source
from rotator.sources.aws_errors import Call, explain, server_time
from rotator.sources.aws_reading import bound
from rotator.sources.aws_session import new_session
from rotator.system.kept import Kept
from rotator.system.secret_input import SecretInput, aws_files, aws_stamp, digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rotator.config.sources import EcrPublicSourceSettings, EcrSourceSettings
    from rotator.core.ports import Clock

CONNECT_SECONDS = 5.0
READ_SECONDS = 15.0
_CLOCKS_AGREE = timedelta(minutes=1)
_SESSION_NAME = "rotator"
_HOST = re.compile(r"[a-z0-9.-]+(:[0-9]{1,5})?")
# As the SDK names where it found keys.
_FROM_FILES = frozenset({"env", "shared-credentials-file", "config-file"})
# What the SDK's parser lets through when an answer does not fit its description.
_UNPARSED = (
    ResponseParserError,
    AttributeError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
)


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
    """Fetches the token with the identity that the settings describe, in one call to ECR.

    `registries` None: the registry is the host that the answer names.
    """

    def __init__(
        self,
        settings: EcrSourceSettings | EcrPublicSourceSettings,
        clock: Clock,
        seconds: tuple[float, float] = (CONNECT_SECONDS, READ_SECONDS),
    ) -> None:
        super().__init__(settings.name, settings.known_registries())
        self._settings = settings
        self._api = _APIS[settings.type]
        self._region = settings.region
        self._clock = clock
        self._seconds = seconds
        self._clients: Kept[tuple[Any, str | None]] = Kept()
        self._config = Config(
            connect_timeout=seconds[0],
            read_timeout=seconds[1],
            retries={"total_max_attempts": 1},
            user_agent_extra="rotator",
        )

    def fetch(self, previous: Sequence[Credential]) -> Sequence[Credential]:  # noqa: ARG002  a token can't be lengthened
        """Return one credential a registry, all with the same token.

        `expires_at` is in terms of our clock: where it and AWS's are more than a minute apart,
        the end that AWS names is moved by the difference.

        Raises `PermanentError` (forbidden, not_found, field_missing, expired, invalid,
        unreachable), `LoginRejectedError`, and `TemporaryError` (unreachable, timeout, throttled,
        unavailable, malformed, expired).
        """
        keys = self._keys()
        answer = self._call(self._api.service, "get_authorization_token", keys, {})
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
            for registry in sorted(self.registries or {self._host(data)})
        ]

    def identity(self) -> str:
        """Return the ARN of whom AWS takes us for; raises as `fetch` does.

        Nobody needs a permission to ask (https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html).
        """
        answer = self._call("sts", "get_caller_identity", self._keys(), {})
        return str(answer.get("Arn", ""))

    def login_stamp(self) -> str:
        """Return what changes when AWS keys, the identity token or the configuration change."""
        settings = self._settings
        return f"{digest(repr(settings))} {aws_stamp(settings.web_identity_token_file)}"

    def _keys(self) -> Mapping[str, str]:
        """Return the keys of the role to assume; none where the SDK's own identity will do."""
        settings = self._settings
        if settings.web_identity_token_file is None and settings.role_arn is None:
            return {}
        asked = {
            "RoleArn": settings.role_arn or os.environ.get("AWS_ROLE_ARN", ""),
            "RoleSessionName": settings.session_name or _SESSION_NAME,
        }
        if not asked["RoleArn"]:
            raise PermanentError(
                Reason.FIELD_MISSING,
                "web_identity_token_file is set, but no role to assume with it",
                "set role_arn",
            )
        if settings.web_identity_token_file is None:
            operation = "assume_role"
            if settings.external_id is not None:
                asked["ExternalId"] = settings.external_id
        else:
            operation = "assume_role_with_web_identity"
            token = SecretInput(settings.web_identity_token_file).read()
            asked["WebIdentityToken"] = token.reveal()
        given = self._call("sts", operation, {}, asked).get("Credentials")
        match given:
            case {
                "AccessKeyId": str(key_id),
                "SecretAccessKey": str(secret_key),
                "SessionToken": str(session_token),
            }:
                return {
                    "aws_access_key_id": key_id,
                    "aws_secret_access_key": secret_key,
                    "aws_session_token": session_token,
                }
        raise self._malformed("no keys for the role", "sts")

    def _call(
        self, service: str, operation: str, keys: Mapping[str, str], asked: Mapping[str, str]
    ) -> dict[str, Any]:
        settings = self._settings
        sts = service == "sts"
        name = operation.title().replace("_", "")
        call = Call(
            f"{name} of {service} in {self._region}",
            (f"sts:{name}",) if sts else self._api.actions,
            settings.role_arn if sts else None,
        )
        try:
            client = self._client(service, keys)
            answer: dict[str, Any] = getattr(client, operation)(**asked)
        except (BotoCoreError, ClientError) as error:
            # Not `from error`: the SDK's texts repeat signed headers and what a helper printed.
            raise explain(error, call, self._clock()) from None
        except _UNPARSED:
            raise self._malformed("what the AWS SDK can't read", service) from None
        return answer

    def _client(self, service: str, keys: Mapping[str, str]) -> Any:
        """Return a client of the SDK with these keys, or else with the SDK's own identity."""
        if keys:
            return self._new_client(service, keys)[0]
        make = partial(self._new_client, service, keys)
        client, source = self._clients.get(
            service, aws_files(self._settings.web_identity_token_file), make
        )
        if source not in _FROM_FILES:
            self._clients.forget(service)
        return client

    def _new_client(self, service: str, keys: Mapping[str, str]) -> tuple[Any, str | None]:
        """Return a client, and the SDK's word for where its keys are from; None: it has none."""
        settings = self._settings
        core = new_session(settings.profile)
        core.set_default_client_config(self._config)  # the SDK's own calls to STS too
        bound(core, settings.ca_file, self._seconds)
        client = core.create_client(
            service,
            region_name=self._region,
            endpoint_url=settings.sts_endpoint_url if service == "sts" else settings.endpoint_url,
            verify=None if settings.ca_file is None else str(settings.ca_file),
            **keys,
        )
        return client, None if keys else getattr(core.get_credentials(), "method", None)

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
                f"{self._api.service} in {self._region} gave a token that ended at "
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

    def _malformed(self, what: str, service: str | None = None) -> TemporaryError:
        return TemporaryError(
            Reason.MALFORMED,
            f"{service or self._api.service} in {self._region} answered with {what}",
            "see what answers there: is the endpoint_url (or a proxy) really AWS's?",
        )


def build(settings: EcrSourceSettings | EcrPublicSourceSettings, clock: Clock) -> EcrSource:
    """Return the source that an `ecr` or `ecr_public` entry of the configuration describes."""
    return EcrSource(settings, clock)
