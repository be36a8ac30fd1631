"""Shows Vault who we are in AWS: a signed request that Vault sends on to AWS's STS.

https://developer.hashicorp.com/vault/docs/auth/aws#iam-auth-method
"""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from rotator.aws.errors import Call
from rotator.aws.identity import Keys, keys_for, tried
from rotator.aws.session import Access, new_session
from rotator.core.model import Secret

if TYPE_CHECKING:
    from rotator.config.vault_auth import AwsAuthSettings

_GLOBAL_REGION = "us-east-1"
_GLOBAL_URL = "https://sts.amazonaws.com"
_FORM = "application/x-www-form-urlencoded; charset=utf-8"
_BODY = "Action=GetCallerIdentity&Version=2011-06-15"


def signed_identity(settings: AwsAuthSettings) -> tuple[dict[str, str | Secret], list[Secret]]:
    """Return what the aws login takes, a signed `GetCallerIdentity` in parts, and what hides in it.

    STS repeats the signed headers where it refuses the signature, the session token among them. The
    identity comes from the standard chain (environment, profile, container, instance), and from
    the role where one is configured. Raises `DriverError` where there is none.
    """
    now, region = datetime.now(UTC), settings.region or _GLOBAL_REGION
    access = Access(
        region,
        profile=settings.profile,
        role_arn=settings.role_arn,
        sts_endpoint_url=settings.sts_endpoint_url,
    )

    def keys_and_url() -> tuple[Keys, str]:
        session = new_session(access)
        keys = keys_for(access, session, now)
        if settings.sts_endpoint_url or region == _GLOBAL_REGION:
            return keys, settings.sts_endpoint_url or _GLOBAL_URL
        # The client knows the domain of every partition.
        client = session.create_client("sts", region_name=region, **keys.options())
        return keys, str(client.meta.endpoint_url)

    keys, url = tried(keys_and_url, access, Call("the AWS login", ()), now)
    headers = {"Content-Type": _FORM}
    if settings.header_value is not None:
        headers["X-Vault-AWS-IAM-Server-ID"] = settings.header_value
    request = AWSRequest("POST", f"{url}/", data=_BODY, headers=headers)
    token = keys.token.reveal() if keys.token else None
    signer = ReadOnlyCredentials(keys.id, keys.secret.reveal(), token)
    SigV4Auth(signer, "sts", region).add_auth(request)
    fields: dict[str, str | Secret] = {
        "iam_http_request_method": "POST",
        "iam_request_url": _base64(f"{url}/"),
        "iam_request_body": _base64(_BODY),
        "iam_request_headers": Secret(_base64(json.dumps(dict(request.headers.items())))),
    }
    return fields, [*filter(None, [keys.token]), Secret(request.headers["Authorization"])]


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
