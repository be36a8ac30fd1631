"""What AWS's own variables and files say: where an identity is, and which endpoints are used.

Loads nothing of the SDK, as the configuration asks it too. The pages that it follows:

- where identities are: https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
- the settings, and that a variable goes before the profile:
  https://docs.aws.amazon.com/sdkref/latest/guide/feature-endpoints.html
- the registries of ECR, for FIPS and dual stack too:
  https://docs.aws.amazon.com/general/latest/gr/ecr.html and
  https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-requests.html,
  for China https://docs.amazonaws.cn/en_us/AmazonECR/latest/userguide/ecr-requests.html
- the registries of ECR Public, which has no FIPS endpoint:
  https://docs.aws.amazon.com/general/latest/gr/ecr-public.html and
  https://docs.aws.amazon.com/AmazonECR/latest/public/public-ecr-requests.html
- the partitions' domains: https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from rotator.system.secret_input import SecretInput

PUBLIC_REGISTRY = "public.ecr.aws"
_PUBLIC_DUAL_STACK = "ecr-public.aws.com"

# The registries' domain by how the region begins, and the one for dual stack ("": AWS names none).
_COMMERCIAL = ("amazonaws.com", "on.aws")
_DOMAINS = {
    "cn-": ("amazonaws.com.cn", "on.amazonwebservices.com.cn"),
    "eusc-": ("amazonaws.eu", "on.amazonwebservices.eu"),
    "us-iso-": ("c2s.ic.gov", ""),
    "us-isob-": ("sc2s.sgov.gov", ""),
    "us-isof-": ("csp.hci.ic.gov", ""),
    "eu-isoe-": ("cloud.adc-e.uk", ""),
}

# How the addresses of the APIs for IPv4 and IPv6 end.
_DUAL_STACK_APIS = (".api.aws", ".api.amazonwebservices.com.cn", ".api.amazonwebservices.eu")

# Where the SDK may find an identity.
_VARIABLES = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    *("AWS_PROFILE", "AWS_ROLE_ARN"),
)
_CACHES = ("sso/cache", "login/cache")


class Variant(NamedTuple):
    """The kind of endpoint: FIPS 140 validated, and for IPv4 and IPv6."""

    fips: bool = False
    dual_stack: bool = False


def variant_of(
    fips: bool | None,  # noqa: FBT001  a key of the configuration, which may be left out
    dual_stack: bool | None,  # noqa: FBT001  the same
    endpoint_url: str | None,
    profile: str | None,
) -> Variant:
    """Return the kind that the configuration wants, else `endpoint_url`, else AWS's settings."""
    if endpoint_url is not None:
        host = urlsplit(endpoint_url).hostname or ""
        otherwise = Variant(
            any(part.endswith("-fips") for part in host.split(".")), host.endswith(_DUAL_STACK_APIS)
        )
    elif fips is None or dual_stack is None:
        otherwise = Variant(
            _aws_says("use_fips_endpoint", profile), _aws_says("use_dualstack_endpoint", profile)
        )
    else:
        otherwise = Variant()
    return Variant(
        otherwise.fips if fips is None else fips,
        otherwise.dual_stack if dual_stack is None else dual_stack,
    )


def private_registry(account: str, region: str, variant: Variant) -> str:
    """Return an account's registry host in a region."""
    fitting = (domains for start, domains in _DOMAINS.items() if region.startswith(start))
    domain, dual_stack = next(fitting, _COMMERCIAL)
    service = "ecr-fips" if variant.fips else "ecr"
    if variant.dual_stack and dual_stack:
        return f"{account}.dkr-{service}.{region}.{dual_stack}"
    return f"{account}.dkr.{service}.{region}.{domain}"


def public_registry(variant: Variant) -> str:
    """Return the registry host of ECR Public."""
    return _PUBLIC_DUAL_STACK if variant.dual_stack else PUBLIC_REGISTRY


def _aws_says(key: str, profile: str | None) -> bool:
    """Return a switch of AWS's own settings as the SDK reads it: only `true` means yes."""
    text = os.environ.get(f"AWS_{key.upper()}")
    if text is None:
        text = _profile_says(key, profile or os.environ.get("AWS_PROFILE") or "default")
    return text.strip().lower() == "true"


def _profile_says(key: str, profile: str) -> str:
    file = config_file()
    if not os.path.exists(file):  # noqa: PTH110  os.devnull and odd paths too
        return ""
    from configparser import Error, RawConfigParser  # noqa: PLC0415  most hosts have no such file

    parser = RawConfigParser(default_section="")
    try:
        parser.read(file, "utf-8")
    except (Error, UnicodeDecodeError):
        return ""  # the SDK says at the fetch what is wrong with the file
    sections = (f"profile {profile}", profile)
    return next((parser.get(one, key, fallback="") for one in sections if one in parser), "")


def aws_stamp(*files: str | Path | None) -> str:
    """Return what changes when the SDK may find another identity in a file or a variable."""
    # What `aws sso login` and `aws login` left behind.
    cached = [path for cache in _CACHES for path in _documents(Path(_home(), cache))]
    stamps = [SecretInput(file).stamp() for file in [*aws_files(*files), *cached]]
    return " ".join([*stamps, *(SecretInput(env=name).stamp() for name in _VARIABLES)])


def _documents(folder: Path) -> list[Path]:
    try:
        return sorted(file for file in folder.iterdir() if file.suffix == ".json")
    except OSError:  # nobody has logged in, or not as this user
        return []


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


def _home() -> str:
    return os.path.expanduser("~/.aws")  # noqa: PTH111  Path.expanduser raises where there is no home
