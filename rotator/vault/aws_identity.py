"""Shows Vault who we are in AWS: a signed request that Vault sends on to AWS's STS.

https://developer.hashicorp.com/vault/docs/auth/aws#iam-auth-method
"""

from __future__ import annotations

import base64
import json

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from botocore.session import Session

from rotator.core.errors import PermanentError, Reason
from rotator.core.model import Secret

_GLOBAL_REGION = "us-east-1"
_FORM = "application/x-www-form-urlencoded; charset=utf-8"
_BODY = "Action=GetCallerIdentity&Version=2011-06-15"


def signed_identity(region: str | None) -> tuple[dict[str, str | Secret], list[Secret]]:
    """Return what the aws login takes, a signed `GetCallerIdentity` in parts, and what hides in it.

    STS repeats the signed headers where it refuses the signature, the session token among them.
    `region` is that of the STS endpoint; None: the global one. The identity comes from the standard
    chain (environment, profile, container, instance). Raises `PermanentError` where there is none.
    """
    session = Session()
    url = "https://sts.amazonaws.com"
    try:
        credentials = session.get_credentials()
        if credentials is None:
            raise _no_identity("there are no AWS credentials here")
        frozen = credentials.get_frozen_credentials()
        if region not in (None, _GLOBAL_REGION):
            # The client knows the domain of every partition.
            url = session.create_client("sts", region_name=region).meta.endpoint_url
    except BotoCoreError as error:
        # Its message may hold what a credential process printed.
        raise _no_identity(type(error).__name__) from None
    request = AWSRequest("POST", f"{url}/", data=_BODY, headers={"Content-Type": _FORM})
    SigV4Auth(frozen, "sts", region or _GLOBAL_REGION).add_auth(request)
    fields: dict[str, str | Secret] = {
        "iam_http_request_method": "POST",
        "iam_request_url": _base64(f"{url}/"),
        "iam_request_body": _base64(_BODY),
        "iam_request_headers": Secret(_base64(json.dumps(dict(request.headers.items())))),
    }
    hidden = (frozen.token, request.headers["Authorization"])
    return fields, [Secret(text) for text in hidden if text]


def _no_identity(why: str) -> PermanentError:
    return PermanentError(
        Reason.FIELD_MISSING,
        f"cannot log in to Vault with AWS: {why}",
        "give the process an AWS identity: aws sts get-caller-identity must answer",
    )


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
