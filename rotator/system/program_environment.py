"""Which environment variables a program that is not ours sees: never the secrets of `rotator`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PASSED_ON = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR", "DOCKER_CONFIG", "GNUPGHOME"}
    | {"DBUS_SESSION_BUS_ADDRESS", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"}
    | {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "KUBECONFIG"}
    | {"http_proxy", "https_proxy", "no_proxy", "all_proxy"}
    # Managed identities in Azure's App Service, Functions and Arc.
    | {"IDENTITY_ENDPOINT", "IDENTITY_HEADER", "IMDS_ENDPOINT", "MSI_ENDPOINT", "MSI_SECRET"}
)
PASSED_ON_BY_PREFIX = (
    *("LC_", "XDG_", "PASSWORD_STORE_", "KUBERNETES_SERVICE_", "AAD_"),
    *("AWS_", "AZURE_", "ACR_", "GOOGLE_", "CLOUDSDK_", "GCE_METADATA_", "OCI_", "ALIBABA_CLOUD_"),
)
"""What a credential helper or a kubeconfig's plugin finds its own login with.

One that needs another variable gets it from a small script of its own that sets it.
"""


def passed_on(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the part of an environment that a program which is not ours may see."""
    return {
        name: value
        for name, value in variables.items()
        if name in PASSED_ON or name.startswith(PASSED_ON_BY_PREFIX)
    }
