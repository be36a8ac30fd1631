"""The files and variables in which the AWS SDK searches for an identity; loads nothing of the SDK.

https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
"""

from __future__ import annotations

import os
from pathlib import Path

from rotator.system.secret_input import SecretInput

_VARIABLES = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    *("AWS_PROFILE", "AWS_ROLE_ARN"),
)
_CACHES = ("sso/cache", "login/cache")


def aws_stamp(*files: str | Path | None) -> str:
    """Return what changes when the AWS SDK may find another identity in a file or a variable.

    `files`: what else it reads. The roles of an instance or a container leave no trace here.
    """
    stamps = [SecretInput(file).stamp() for file in [*aws_files(*files), *_cached_logins()]]
    return " ".join([*stamps, *(SecretInput(env=name).stamp() for name in _VARIABLES)])


def aws_files(*files: str | Path | None) -> list[Path]:
    """Return the files in which the AWS SDK searches for an identity, and these."""
    home = _home()
    found = (
        os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or f"{home}/credentials",
        os.environ.get("AWS_CONFIG_FILE") or f"{home}/config",
        os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE"),
        *files,
    )
    return [Path(file) for file in found if file]


def config_file() -> str:
    """Return the file in which the SDK searches for profiles."""
    return os.environ.get("AWS_CONFIG_FILE") or f"{_home()}/config"


def _cached_logins() -> list[Path]:
    """Return what `aws sso login` and `aws login` left behind."""
    return [path for cache in _CACHES for path in sorted(Path(_home(), cache).glob("*.json"))]


def _home() -> str:
    return os.path.expanduser("~/.aws")  # noqa: PTH111  Path.expanduser raises where there is no home
