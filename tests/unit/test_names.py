"""The names that people's configurations, scripts and dashboards depend on are all there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rotator.commands import run_once
from rotator.config import sources, targets, vault_auth
from rotator.config.schema import Configuration, RetrySettings, RotationSettings, ScheduleSettings

if TYPE_CHECKING:
    from rotator.config.settings import Settings

KEYS = {
    Configuration: "version state_dir log http metrics_file registry_access rotations",
    RotationSettings: "name enabled longest_job prove schedule sources targets remove",
    ScheduleSettings: "renew_after jitter poll retry",
    RetrySettings: "initial max",
    sources.EcrSourceSettings: (
        "name type region accounts role_arn external_id session_name profile "
        "web_identity_token_file endpoint_url sts_endpoint_url ca_file"
    ),
    sources.EcrPublicSourceSettings: (
        "name type region role_arn external_id session_name profile "
        "web_identity_token_file endpoint_url sts_endpoint_url ca_file"
    ),
    sources.VaultSourceSettings: (
        "name type address auth path namespace ca_file client_cert_file client_key_file "
        "tls_server_name engine kv_version_pin registry username username_field password_field "
        "docker_config_field expires_at_field parameters method revoke_after"
    ),
    sources.CredentialHelperSourceSettings: "name type helper registries lifetime timeout",
    sources.DockerConfigSourceSettings: "name type path registries",
    targets.FileTargetSettings: (
        "name enabled registries follows merge content registry "
        "type path mode owner group write durable"
    ),
    targets.KubernetesSecretTargetSettings: (
        "name enabled registries follows merge content registry type namespace secret_type key "
        "labels annotations kubeconfig context namespaces namespace_selector service_accounts"
    ),
    targets.KubernetesConfigMapTargetSettings: (
        "name enabled registries follows merge content registry type namespace key labels "
        "annotations kubeconfig context namespaces namespace_selector"
    ),
    targets.GitlabVariableTargetSettings: (
        "name enabled registries follows merge content registry type url group project token_file "
        "token_env key masked protected environment_scope description ca_file"
    ),
    targets.VaultKvTargetSettings: (
        "name enabled registries follows merge content registry type address auth path field "
        "keep_versions"
    ),
    vault_auth.TokenAuthSettings: "method token_file token_env",
    vault_auth.ApproleAuthSettings: "method mount role_id secret_id_file secret_id_env",
    vault_auth.KubernetesAuthSettings: "method mount role jwt_file",
    vault_auth.JwtAuthSettings: "method mount role jwt_file",
    vault_auth.CertAuthSettings: "method mount role",
    vault_auth.UserpassAuthSettings: "method mount username password_file",
    vault_auth.AwsAuthSettings: "method mount role region",
}


@pytest.mark.parametrize("settings", KEYS, ids=lambda settings: settings.__name__)
def test_keys(settings: type[Settings]) -> None:
    """Each key of the configuration keeps its name; more may be added, none dropped."""
    assert set(KEYS[settings].split()) <= set(settings.keys())


def test_exit_codes() -> None:
    """Scripts tell by these how a run ended."""
    codes = run_once.OK, run_once.FAILED, run_once.PARTIAL, run_once.LOCKED
    assert codes == (0, 1, 10, 75)
