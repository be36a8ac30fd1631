"""ECR: what the answer becomes, and what each failure is called."""

from __future__ import annotations

import base64
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore import exceptions as sdk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rotator.aws.errors import Call, explain
from rotator.config.sources import EcrPublicSourceSettings, EcrSourceSettings
from rotator.core.errors import (
    DriverError,
    LoginRejectedError,
    PermanentError,
    Reason,
    TemporaryError,
)
from rotator.core.model import Verdict
from rotator.registry.prover import RegistryProver
from rotator.sources.ecr import EcrSource, build
from tests.fakes.certificates import Pki
from tests.fakes.ecr import ACCESS_KEY, SECRET_KEY, FakeEcr, denied, key_in_environment, only_aws
from tests.fakes.kubernetes import FakeKubernetes
from tests.fakes.sigv4 import RefusalError
from tests.support import NOW, aged

if TYPE_CHECKING:
    from collections.abc import Iterator

CALL = Call("GetAuthorizationToken of ecr in eu-west-1", ("ecr:GetAuthorizationToken",))
TEMPORARY, PERMANENT, LOGIN = TemporaryError, PermanentError, LoginRejectedError


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEcr]:
    """Return an ECR endpoint whose key is in the environment."""
    key_in_environment(monkeypatch)
    with FakeEcr() as made:
        yield made


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def source(fake: FakeEcr, **settings: Any) -> EcrSource:
    """Return the source under test, at this endpoint."""
    given = {"name": "ecr", "region": "eu-west-1", "endpoint_url": fake.url, **settings}
    return build(EcrSourceSettings(**given), now)


def error_of(made: EcrSource) -> DriverError:
    """Return what a fetch raises."""
    with pytest.raises(DriverError) as caught:
        made.fetch([])
    return caught.value


def test_one_token_for_all_accounts(fake: FakeEcr) -> None:
    """One call gives every account's registry the same login, for twelve hours."""
    accounts = ("210987654321", "012345670123")
    credentials = source(fake, accounts=accounts).fetch([])
    assert [one.registry for one in credentials] == [
        "012345670123.dkr.ecr.eu-west-1.amazonaws.com",
        "210987654321.dkr.ecr.eu-west-1.amazonaws.com",
    ]
    assert {one.username for one in credentials} == {"AWS"}
    assert {one.password.reveal() for one in credentials} == set(fake.tokens)
    assert {one.expires_at for one in credentials} == set(fake.tokens.values())
    assert fake.calls == 1


def test_without_accounts_the_answer_names_the_host(fake: FakeEcr) -> None:
    """The registry is the answer's proxyEndpoint, with its port, and it accepts the token."""
    made = source(fake)
    assert made.registries is None
    (credential,) = made.fetch([])
    assert credential.registry == fake.host
    assert RegistryProver().prove(credential).verdict is Verdict.ACCEPTED
    fake.end_tokens()
    assert RegistryProver().prove(credential).verdict is Verdict.REJECTED


DOMAINS = {
    "eu-west-1": "amazonaws.com",
    "us-gov-west-1": "amazonaws.com",
    "cn-north-1": "amazonaws.com.cn",
    "cn-northwest-1": "amazonaws.com.cn",
    "eusc-de-east-1": "amazonaws.eu",
    "us-iso-east-1": "c2s.ic.gov",
    "us-isob-east-1": "sc2s.sgov.gov",
}


@pytest.mark.parametrize(("region", "domain"), DOMAINS.items(), ids=DOMAINS)
def test_domain_follows_the_partition(fake: FakeEcr, region: str, domain: str) -> None:
    """The registries of every AWS partition have the domain of that partition."""
    (credential,) = source(fake, region=region, accounts=("123456789012",)).fetch([])
    assert credential.registry == f"123456789012.dkr.ecr.{region}.{domain}"


ENDPOINTS = {
    "https://ecr-fips.us-east-1.amazonaws.com": "dkr.ecr-fips.us-east-1.amazonaws.com",
    "https://api.ecr-fips.us-east-1.amazonaws.com": "dkr.ecr-fips.us-east-1.amazonaws.com",
    "https://ecr.us-east-1.api.aws": "dkr-ecr.us-east-1.on.aws",
    "https://ecr-fips.us-east-1.api.aws": "dkr-ecr-fips.us-east-1.on.aws",
    "https://ecr.cn-north-1.api.amazonwebservices.com.cn": (
        "dkr-ecr.cn-north-1.on.amazonwebservices.com.cn"
    ),
    "https://vpce-1.api.ecr.eu-west-1.vpce.amazonaws.com": "dkr.ecr.eu-west-1.amazonaws.com",
}


@pytest.mark.parametrize(("endpoint", "hosts"), ENDPOINTS.items(), ids=ENDPOINTS)
def test_registries_go_with_the_endpoint(endpoint: str, hosts: str) -> None:
    """Jobs that use FIPS or dual-stack endpoints pull from the hosts of the same kind."""
    region = next(part for part in hosts.split(".") if part.count("-") == 2 and "ecr" not in part)
    settings = EcrSourceSettings(
        name="ecr", region=region, accounts=("123456789012",), endpoint_url=endpoint
    )
    assert settings.known_registries() == {f"123456789012.{hosts}"}


@pytest.mark.parametrize(
    ("variable", "address"),
    [
        ("AWS_USE_FIPS_ENDPOINT", "api.ecr-fips.us-east-1.amazonaws.com"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "ecr.us-east-1.api.aws"),
    ],
)
def test_the_sdk_s_own_settings_choose_the_endpoint(
    monkeypatch: pytest.MonkeyPatch, variable: str, address: str
) -> None:
    """FIPS and dual stack, as the SDK is told by its environment, lead to other addresses."""
    key_in_environment(monkeypatch)
    monkeypatch.setenv(variable, "true")
    with socket.create_server(("127.0.0.1", 0)) as proxy, ThreadPoolExecutor(1) as pool:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        asked = pool.submit(first_line, proxy)
        error = error_of(build(EcrSourceSettings(name="ecr", region="us-east-1"), now))
        assert asked.result(10).startswith(f"CONNECT {address}:443")
    assert isinstance(error, TemporaryError)


def first_line(proxy: socket.socket) -> str:
    """Return what a client asks a proxy for, and hang up."""
    connection, _ = proxy.accept()
    with connection:
        return connection.recv(4096).decode().partition("\r\n")[0]


def test_public(fake: FakeEcr) -> None:
    """ECR Public has one registry, and an answer of another shape."""
    made = build(EcrPublicSourceSettings(name="public", endpoint_url=fake.url), now)
    assert [one.registry for one in made.fetch([])] == ["public.ecr.aws"]


def test_public_denied_names_both_actions(fake: FakeEcr) -> None:
    """ECR Public needs two actions, and the hint has both, ready to be pasted."""
    fake.trouble = denied("ecr-public:GetAuthorizationToken")
    error = error_of(build(EcrPublicSourceSettings(name="public", endpoint_url=fake.url), now))
    assert "ecr-public:GetAuthorizationToken" in error.hint
    assert "sts:GetServiceBearerToken" in error.hint


CLOCKS = {
    # ours against theirs; by how much the end moves
    "together": (timedelta(), timedelta()),
    "half a minute ahead": (timedelta(seconds=30), timedelta()),
    "an hour ahead": (timedelta(hours=1), timedelta(hours=1)),
    "an hour behind": (-timedelta(hours=1), -timedelta(hours=1)),
}


@pytest.mark.parametrize(("off", "moved"), CLOCKS.values(), ids=CLOCKS)
def test_end_in_our_clock(fake: FakeEcr, off: timedelta, moved: timedelta) -> None:
    """Where the clocks are over a minute apart, the end is told in terms of ours."""
    settings = EcrSourceSettings(name="ecr", region="eu-west-1", endpoint_url=fake.url)
    (credential,) = build(settings, lambda: now() + off).fetch([])
    (named,) = fake.tokens.values()
    assert credential.expires_at is not None
    assert abs(credential.expires_at - named - moved) < timedelta(seconds=5)
    assert abs(credential.expires_at - credential.issued_at - fake.lifetime) < timedelta(seconds=35)


def test_token_that_is_over_says_both_times(fake: FakeEcr) -> None:
    """A token that has ended already is temporary, and its times are told for comparison."""
    fake.lifetime = -timedelta(minutes=5)
    error = error_of(source(fake))
    assert error.reason is Reason.EXPIRED
    assert isinstance(error, TemporaryError)
    assert error.detail.count("Z") == 3


def test_clock_skew_says_both_times(fake: FakeEcr) -> None:
    """A signature that is refused for its time is not called a wrong key."""
    fake.offset = timedelta(hours=2)
    error = error_of(source(fake))
    assert (type(error), error.reason) == (TemporaryError, Reason.EXPIRED)
    assert f"{now():%Y-%m-%d %H:}" in error.hint
    assert f"{fake.now():%Y-%m-%d %H:}" in error.hint


def test_retry_after(fake: FakeEcr) -> None:
    """What AWS asks to wait is kept."""
    fake.trouble = RefusalError("ThrottlingException", headers={"Retry-After": "7"})
    error = error_of(source(fake))
    assert isinstance(error, TemporaryError)
    assert error.retry_after == 7


def test_denied_says_who_and_what_to_allow(fake: FakeEcr) -> None:
    """A denial names the identity, and the hint is a statement of a policy."""
    fake.trouble = denied()
    error = error_of(source(fake))
    assert "arn:aws:sts::123456789012:assumed-role/ci/rotator" in error.detail
    statement = json.loads(error.hint.partition(": ")[2])
    assert statement == {
        "Effect": "Allow",
        "Action": ["ecr:GetAuthorizationToken"],
        "Resource": "*",
    }


CODES: dict[str, tuple[int, type[DriverError], Reason]] = {
    "AccessDeniedException": (400, PERMANENT, Reason.FORBIDDEN),
    "UnrecognizedClientException": (400, LOGIN, Reason.LOGIN_REJECTED),
    "InvalidClientTokenId": (403, LOGIN, Reason.LOGIN_REJECTED),
    "InvalidSignatureException": (400, LOGIN, Reason.LOGIN_REJECTED),
    "SignatureDoesNotMatch": (403, LOGIN, Reason.LOGIN_REJECTED),
    "InvalidIdentityToken": (400, LOGIN, Reason.LOGIN_REJECTED),
    "ExpiredTokenException": (400, PERMANENT, Reason.EXPIRED),
    "RequestExpired": (400, TEMPORARY, Reason.EXPIRED),
    "ThrottlingException": (400, TEMPORARY, Reason.THROTTLED),
    "TooManyRequestsException": (429, TEMPORARY, Reason.THROTTLED),
    "ServerException": (500, TEMPORARY, Reason.UNAVAILABLE),
    "InternalFailure": (500, TEMPORARY, Reason.UNAVAILABLE),
    "RegionDisabledException": (403, PERMANENT, Reason.FORBIDDEN),
    "InvalidParameterException": (400, PERMANENT, Reason.INVALID),
    "SomethingNew": (400, PERMANENT, Reason.INVALID),
    "SomethingNewAndDown": (503, TEMPORARY, Reason.UNAVAILABLE),
    "403": (403, PERMANENT, Reason.FORBIDDEN),
    "407": (407, PERMANENT, Reason.FORBIDDEN),
    "429": (429, TEMPORARY, Reason.THROTTLED),
}


@pytest.mark.parametrize(("code", "expected"), CODES.items(), ids=CODES)
def test_codes(code: str, expected: tuple[int, type[DriverError], Reason]) -> None:
    """Each of AWS's codes has its reason, a hint, and nothing of AWS's own text."""
    status, kind, reason = expected
    answer = {
        "Error": {"Code": code, "Message": "canonical: s3cr3t-session-token"},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": {}},
    }
    error = explain(sdk.ClientError(answer, "GetAuthorizationToken"), CALL, NOW)
    assert (type(error), error.reason) == (kind, reason)
    assert error.detail.startswith(CALL.name)
    assert error.hint
    assert "s3cr3t-" not in error.detail + error.hint


EXCEPTIONS: dict[str, tuple[Exception, type[DriverError], Reason]] = {
    "no keys": (sdk.NoCredentialsError(), PERMANENT, Reason.NOT_FOUND),
    "no profile": (sdk.ProfileNotFound(profile="x"), PERMANENT, Reason.NOT_FOUND),
    "half a key": (sdk.PartialCredentialsError(provider="env", cred_var="x"), PERMANENT,
        Reason.FIELD_MISSING),
    "SSO over": (sdk.UnauthorizedSSOTokenError(), LOGIN, Reason.LOGIN_REJECTED),
    "SSO token gone": (sdk.SSOTokenLoadError(error_msg="x"), LOGIN, Reason.LOGIN_REJECTED),
    "a process that fails": (
        sdk.CredentialRetrievalError(provider="process", error_msg="s3cr3t-stderr"), TEMPORARY,
        Reason.UNAVAILABLE),
    "nobody there": (sdk.EndpointConnectionError(endpoint_url="x"), TEMPORARY, Reason.UNREACHABLE),
    "the proxy": (sdk.ProxyConnectionError(proxy_url="http://u:s3cr3t-p@x"), TEMPORARY,
        Reason.UNREACHABLE),
    "hung up": (sdk.ConnectionClosedError(endpoint_url="x"), TEMPORARY, Reason.UNREACHABLE),
    "no connection": (sdk.ConnectTimeoutError(endpoint_url="x"), TEMPORARY, Reason.TIMEOUT),
    "no answer": (sdk.ReadTimeoutError(endpoint_url="x"), TEMPORARY, Reason.TIMEOUT),
    "TLS": (sdk.SSLError(endpoint_url="x", error="y"), PERMANENT, Reason.UNREACHABLE),
    "settings": (sdk.InvalidConfigError(error_msg="x"), PERMANENT, Reason.INVALID),
    "FIPS with an endpoint": (sdk.EndpointProviderError(msg="x"), PERMANENT, Reason.INVALID),
    "wants a second factor": (sdk.RefreshWithMFAUnsupportedError(), PERMANENT, Reason.INVALID),
}  # fmt: skip


@pytest.mark.parametrize(("raised", "kind", "reason"), EXCEPTIONS.values(), ids=EXCEPTIONS)
def test_exceptions(raised: Exception, kind: type[DriverError], reason: Reason) -> None:
    """Each of the SDK's exceptions has its reason, a hint, and nothing of the SDK's own text."""
    error = explain(raised, CALL, NOW)
    assert (type(error), error.reason) == (kind, reason)
    assert error.hint
    assert "s3cr3t-" not in error.detail + error.hint


def test_unknown_exceptions_are_bugs() -> None:
    """What nobody knows passes as it is, to be reported as a bug."""
    with pytest.raises(sdk.MD5UnavailableError):
        explain(sdk.MD5UnavailableError(), CALL, NOW)


def test_keys_are_read_again(
    fake: FakeEcr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that is replaced in the credentials file counts from the next fetch on."""
    file = tmp_path / "credentials"
    only_aws(monkeypatch, AWS_SHARED_CREDENTIALS_FILE=str(file))

    def write(key: str) -> None:
        file.write_text(f"[ci]\naws_access_key_id={key}\naws_secret_access_key=s3cr3t-{key}\n")

    made = source(fake, profile="ci")
    fake.keys = {"AKIDOLD": ("s3cr3t-AKIDOLD", ""), "AKIDNEW": ("s3cr3t-AKIDNEW", "")}
    write("AKIDOLD")
    made.fetch([])
    stamp = made.login_stamp()
    write("AKIDNEW")
    made.fetch([])
    assert fake.signers == ["AKIDOLD", "AKIDNEW"]
    assert made.login_stamp() != stamp


@pytest.mark.parametrize("where", ["environment", "file"])
def test_a_client_stays_while_its_keys_do(
    fake: FakeEcr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Other keys are another client; between two fetches with the same keys none is made."""
    file = tmp_path / "credentials"

    def use(key: str, age: float) -> None:
        if where == "environment":
            key_in_environment(monkeypatch)
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
        else:
            only_aws(monkeypatch, AWS_SHARED_CREDENTIALS_FILE=str(file))
            file.write_text(
                f"[default]\naws_access_key_id={key}\naws_secret_access_key={SECRET_KEY}\n"
            )
            aged(file, age)

    fake.keys = {"AKIDOLD": (SECRET_KEY, ""), "AKIDNEW": (SECRET_KEY, "")}
    made = source(fake)
    use("AKIDOLD", 3600)
    clients = []
    for key in (None, None, "AKIDNEW", None):
        if key:
            use(key, 60)
        made.fetch([])
        clients.append(made._client("ecr", {}))
    assert clients[0] is clients[1]
    assert clients[1] is not clients[2]
    assert clients[2] is clients[3]
    assert fake.signers == ["AKIDOLD", "AKIDOLD", "AKIDNEW", "AKIDNEW"]


def test_a_program_that_gives_keys_is_run_again(
    fake: FakeEcr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only it knows whether what it gave is still right; no file tells."""
    keys = {"Version": 1, "AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY}
    (tmp_path / "keys.json").write_text(json.dumps(keys))
    program = f"sh -c 'echo run >>{tmp_path}/runs; cat {tmp_path}/keys.json'"
    config = tmp_path / "config"
    config.write_text(f"[default]\ncredential_process = {program}\n")
    aged(config)
    only_aws(monkeypatch, AWS_CONFIG_FILE=str(config))
    made = source(fake)
    made.fetch([])
    made.fetch([])
    assert (tmp_path / "runs").read_text().split() == ["run", "run"]


def test_another_authority_counts_at_once(fake: FakeEcr, tmp_path: Path) -> None:
    """Connections and trust are shared between fetches until `ca_file` is another."""
    (tmp_path / "other").mkdir()
    pki, other = Pki(tmp_path), Pki(tmp_path / "other")
    aged(pki.ca)
    with FakeKubernetes(pki.context()) as server:  # anything that speaks TLS
        made = source(fake, endpoint_url=server.url, ca_file=pki.ca)
        assert error_of(made).reason is not Reason.UNREACHABLE
        pki.ca.write_bytes(other.ca.read_bytes())
        aged(pki.ca, 60)
        assert error_of(made).reason is Reason.UNREACHABLE


def test_profile_that_is_not_there(fake: FakeEcr) -> None:
    """A misspelt profile is said, with what shows the right ones."""
    error = error_of(source(fake, profile="misspelt"))
    assert error.reason is Reason.NOT_FOUND
    assert "list-profiles" in error.hint


def test_web_identity_without_a_role(fake: FakeEcr, tmp_path: Path) -> None:
    """An identity token alone is no identity: the role to assume is asked for."""
    token = tmp_path / "token"
    token.write_text("s3cr3t-token")
    error = error_of(source(fake, web_identity_token_file=token))
    assert (error.reason, error.hint) == (Reason.FIELD_MISSING, "set role_arn")


def test_web_identity_token_that_is_not_there(fake: FakeEcr, tmp_path: Path) -> None:
    """A missing identity token is told with its path."""
    role = "arn:aws:iam::123456789012:role/pull"
    made = source(fake, web_identity_token_file=tmp_path / "none", role_arn=role)
    error = error_of(made)
    assert error.reason is Reason.LOGIN_REJECTED
    assert str(tmp_path / "none") in error.detail
    stamp = made.login_stamp()
    (tmp_path / "none").write_text("s3cr3t-token")
    assert made.login_stamp() != stamp


def test_garbage_with_a_200_never_shows(fake: FakeEcr) -> None:
    """Whatever an answer holds, a fetch says that it is malformed and does not repeat it."""
    fake.trouble = "garbage"
    error = error_of(source(fake))
    assert error.reason is Reason.MALFORMED
    assert "s3cr3t-" not in f"{error} {error.hint}"


ANSWERS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "no token": {"authorizationToken": None},
    "a token of bytes that are no text": {
        "authorizationToken": base64.b64encode(b"\xff\xfe:\xff").decode()
    },
    "no user": {"authorizationToken": base64.b64encode(b":s3cr3t-x").decode()},
    "no password": {"authorizationToken": base64.b64encode(b"AWS:").decode()},
    "an end that is no time": {"expiresAt": "soon"},
    "an end of another type": {"expiresAt": []},
    "an end out of range": {"expiresAt": 1e30},
    "no host": {"proxyEndpoint": None},
    "a host of another type": {"proxyEndpoint": {}},
}


@pytest.mark.parametrize("change", ANSWERS.values(), ids=ANSWERS)
def test_malformed_answers(
    fake: FakeEcr, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    """Each part of the answer is looked at before it is used."""
    whole: Any = fake.answer("ecr")
    (data,) = whole["authorizationData"]
    changed = {"authorizationData": [{**data, **change} if change else {}]}
    monkeypatch.setattr(fake, "answer", lambda _: changed)
    error = error_of(source(fake))
    assert (type(error), error.reason) == (TemporaryError, Reason.MALFORMED)


KEYS = st.sampled_from(
    ["authorizationData", "authorizationToken", "expiresAt", "proxyEndpoint", "more"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(answer=JSON)
def test_any_answer_is_malformed(fake: FakeEcr, answer: Any) -> None:
    """No JSON that is not a token breaks the source."""
    made = source(fake)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fake, "answer", lambda _: answer)
        error = error_of(made)
    assert error.reason in (Reason.MALFORMED, Reason.EXPIRED)


def test_the_policy_is_exactly_enough() -> None:
    """The IAM policy in deploy/ allows what the hints ask for, and pulling, and nothing else."""
    policy = json.loads(
        (Path(__file__).parents[3] / "deploy/policies/iam-policy.json").read_text("utf-8")
    )
    allowed: set[str] = set()
    for statement in policy["Statement"]:
        actions = statement["Action"]
        allowed |= {actions} if isinstance(actions, str) else set(actions)
    assert allowed == {
        "ecr:GetAuthorizationToken",
        "ecr-public:GetAuthorizationToken",
        "sts:GetServiceBearerToken",
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:GetDownloadUrlForLayer",
    }
