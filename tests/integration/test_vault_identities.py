"""The logins of people, pods and certificates, against a real OpenBao."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from rotator.core.errors import LoginRejectedError, PermanentError, Reason
from tests.fakes.kubernetes_token_review import TokenReview
from tests.integration.vault_tools import SetClock, token_login, vault_source
from tests.servers.openbao import OpenBao, unique

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    """Return a key that signs JWTs and certificates."""
    return rsa.generate_private_key(65537, 2048)


def public_pem(key: rsa.RSAPrivateKey) -> str:
    """Return the key's public half."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def signed(key: rsa.RSAPrivateKey, **payload: Any) -> str:
    """Return a JWT that is good for an hour."""
    now = int(time.time())
    return jwt.encode(
        {"iat": now - 10, "nbf": now - 10, "exp": now + 3600, **payload}, key, "RS256"
    )


def certificate(key: rsa.RSAPrivateKey, name: str) -> str:
    """Return a client certificate that signs itself."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=False)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


def private_pem(key: rsa.RSAPrivateKey) -> str:
    """Return the key itself."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def test_userpass(openbao: OpenBao, kv_secret: str, kv_policy: str, tmp_path: Path) -> None:
    """A user with a password logs in; with a wrong one it is a rejected login."""
    mount = openbao.enable_auth("userpass")
    body = {"password": "s3cr3t-of-ci", "token_policies": [kv_policy]}
    openbao.api("POST", f"auth/{mount}/users/ci", body)
    file = tmp_path / "password"
    file.write_text("s3cr3t-of-ci")
    auth = {"method": "userpass", "mount": mount, "username": "ci", "password_file": str(file)}
    clock = SetClock()
    source = vault_source(openbao, auth, clock, path=f"secret/{kv_secret}")
    assert source.fetch([])
    clock.forward(days=40)
    file.write_text("s3cr3t-of-nobody")
    with pytest.raises(LoginRejectedError):
        source.fetch([])


def test_jwt(
    openbao: OpenBao, kv_secret: str, kv_policy: str, tmp_path: Path, key: rsa.RSAPrivateKey
) -> None:
    """A signed JWT logs in; one for another audience is a rejected login that says so."""
    mount = openbao.enable_auth("jwt")
    openbao.api("POST", f"auth/{mount}/config", {"jwt_validation_pubkeys": [public_pem(key)]})
    role = {
        "role_type": "jwt",
        "bound_audiences": ["vault"],
        "user_claim": "sub",
        "token_policies": [kv_policy],
    }
    openbao.api("POST", f"auth/{mount}/role/ci", role)
    file = tmp_path / "jwt"
    file.write_text(signed(key, sub="rotator", aud="vault"))
    auth = {"method": "jwt", "mount": mount, "role": "ci", "jwt_file": str(file)}
    clock = SetClock()
    source = vault_source(openbao, auth, clock, path=f"secret/{kv_secret}")
    assert source.fetch([])
    clock.forward(days=40)
    file.write_text(signed(key, sub="rotator", aud="somebody"))
    with pytest.raises(LoginRejectedError) as caught:
        source.fetch([])
    assert "audience" in caught.value.detail


def test_kubernetes(
    openbao: OpenBao, kv_secret: str, kv_policy: str, tmp_path: Path, key: rsa.RSAPrivateKey
) -> None:
    """The pod's token logs in and is read again at each login; another account's is rejected."""
    mount = openbao.enable_auth("kubernetes")
    with TokenReview() as cluster:
        config = {
            "kubernetes_host": cluster.url,
            "kubernetes_ca_cert": certificate(key, "cluster"),
            "token_reviewer_jwt": signed(key, sub="reviewer"),
            "disable_local_ca_jwt": True,
        }
        openbao.api("POST", f"auth/{mount}/config", config)
        role = {
            "bound_service_account_names": ["rotator"],
            "bound_service_account_namespaces": ["ci"],
            "token_policies": [kv_policy],
        }
        openbao.api("POST", f"auth/{mount}/role/ci", role)
        file = tmp_path / "jwt"
        auth = {"method": "kubernetes", "mount": mount, "role": "ci", "jwt_file": str(file)}
        clock = SetClock()
        source = vault_source(openbao, auth, clock, path=f"secret/{kv_secret}")
        for account, works in (("rotator", True), ("default", False), ("rotator", True)):
            token = pod_token(key, account)
            cluster.accepted = {token: f"ci:{account}"}
            clock.forward(days=40)
            file.write_text(token)
            if works:
                assert source.fetch([])
            else:
                with pytest.raises(LoginRejectedError) as caught:
                    source.fetch([])
                assert "service account" in caught.value.hint


def pod_token(key: rsa.RSAPrivateKey, account: str) -> str:
    """Return a projected service account token of namespace `ci`."""
    pod = {
        "namespace": "ci",
        "serviceaccount": {"name": account, "uid": "5f5f4e0c-0000-4000-8000-000000000001"},
    }
    return signed(
        key,
        sub=f"system:serviceaccount:ci:{account}",
        iss="https://kubernetes.default.svc",
        aud=["https://kubernetes.default.svc"],
        **{"kubernetes.io": pod},
    )


def test_cert(openbao_tls: OpenBao, tmp_path: Path, key: rsa.RSAPrivateKey) -> None:
    """A TLS client certificate logs in; without a fitting one it is a rejected login."""
    name = unique("harbor")
    openbao_tls.put(f"secret/data/{name}", {"username": "robot", "password": "s3cr3t-tls"})
    policy = openbao_tls.policy(f'path "secret/data/{name}" {{ capabilities = ["read"] }}')
    mount = openbao_tls.enable_auth("cert")
    pem = certificate(key, "rotator")
    body = {"certificate": pem, "token_policies": [policy]}
    openbao_tls.api("POST", f"auth/{mount}/certs/ci", body)
    (tmp_path / "cert.pem").write_text(pem)
    (tmp_path / "key.pem").write_text(private_pem(key))
    other = rsa.generate_private_key(65537, 2048)
    (tmp_path / "other.pem").write_text(certificate(other, "rotator") + private_pem(other))
    settings = {"path": f"secret/{name}", "ca_file": str(openbao_tls.ca_file)}
    auth = {"method": "cert", "mount": mount, "role": "ci"}
    source = vault_source(
        openbao_tls,
        auth,
        client_cert_file=str(tmp_path / "cert.pem"),
        client_key_file=str(tmp_path / "key.pem"),
        **settings,
    )
    assert source.fetch([])
    wrong = vault_source(
        openbao_tls, auth, client_cert_file=str(tmp_path / "other.pem"), **settings
    )
    with pytest.raises(LoginRejectedError):
        wrong.fetch([])


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        pytest.param({}, "ca_file", id="not trusted"),
        pytest.param({"tls_server_name": "vault.corp"}, "tls_server_name", id="another name"),
    ],
)
def test_tls_not_trusted(
    openbao_tls: OpenBao, settings: dict[str, str], hint: str, tmp_path: Path
) -> None:
    """A certificate that does not fit is said with the key that mends it; a person has to act."""
    if "tls_server_name" in settings:
        settings = {**settings, "ca_file": str(openbao_tls.ca_file)}
    auth = token_login(tmp_path, openbao_tls.root)
    source = vault_source(openbao_tls, auth, path="secret/x", **settings)
    with pytest.raises(PermanentError) as caught:
        source.fetch([])
    assert caught.value.reason is Reason.UNREACHABLE
    assert hint in caught.value.hint


def test_tls_server_name(openbao_tls: OpenBao, tmp_path: Path) -> None:
    """The certificate is checked against the name that is given."""
    openbao_tls.put("secret/data/by-name", {"username": "robot", "password": "s3cr3t-tls"})
    settings = {"path": "secret/by-name", "ca_file": str(openbao_tls.ca_file)}
    auth = token_login(tmp_path, openbao_tls.root)
    assert vault_source(openbao_tls, auth, tls_server_name="localhost", **settings).fetch([])
