"""The values that name things in AWS."""

from typing import Annotated

from rotator.config.types import EACH_ONCE, NUMBER, matching

AccountId = Annotated[str, matching(r"[0-9]{12}", "an AWS account id of 12 digits", also=NUMBER)]
Accounts = Annotated[tuple[AccountId, ...], EACH_ONCE]
Region = Annotated[
    str, matching(r"[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}", "an AWS region such as eu-west-1")
]
RoleArn = Annotated[
    str,
    matching(
        r"arn:aws[a-z-]*:iam::[0-9]{12}:role/\S+",
        "a role's ARN such as arn:aws:iam::123456789012:role/NAME",
    ),
]
SessionName = Annotated[
    str, matching(r"[A-Za-z0-9_+=,.@-]{2,64}", "2 to 64 letters, digits or _+=,.@-")
]
