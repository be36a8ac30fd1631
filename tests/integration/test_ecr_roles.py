"""ECR with roles: STS is moto's server, ECR is ours and checks the keys that STS gave."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from moto.sts.models import sts_backends

from rotator.config.sources import EcrSourceSettings
from rotator.core.errors import DriverError, Reason
from rotator.sources.ecr import EcrSource, build
from tests.fakes.ecr import ACCESS_KEY, SECRET_KEY, FakeEcr, key_in_environment, only_aws
from tests.fakes.loopback import Handler, Loopback
from tests.support import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROLE = "arn:aws:iam::210987654321:role/pull"
FIRST_ROLE = "arn:aws:iam::111111111111:role/hop"


def assumed() -> dict[str, Any]:
    """Return every role session that STS gave, by its access key id."""
    return {
        one.access_key_id: one
        for backends in sts_backends.values()
        for one in backends["aws"].assumed_roles
    }


def keys_of(key_id: str) -> tuple[str, str] | None:
    """Return the secret key and session token that STS gave with this key id."""
    found = assumed().get(key_id)
    return None if found is None else (found.secret_access_key, found.session_token)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEcr]:
    """Return an ECR endpoint that knows no key but those of STS."""
    key_in_environment(monkeypatch)
    with FakeEcr(keys={}, look_up=keys_of) as made:
        yield made


def source(fake: FakeEcr, **settings: Any) -> EcrSource:
    """Return the source under test, at this endpoint."""
    given = {"name": "ecr", "region": "eu-west-1", "endpoint_url": fake.url, **settings}
    return build(EcrSourceSettings(**given), lambda: datetime.now(UTC))


def test_assumes_a_role(fake: FakeEcr, sts: str) -> None:
    """The role's session signs the call to ECR, under its name and with the external id."""
    made = source(
        fake,
        sts_endpoint_url=sts,
        role_arn=ROLE,
        external_id="s3cr3t-external",
        session_name="runner-7",
    )
    made.fetch([])
    session = assumed()[fake.signers[-1]]
    assert (session.role_arn, session.session_name) == (ROLE, "runner-7")
    assert session.external_id == "s3cr3t-external"


def test_the_session_has_a_name_of_its_own(fake: FakeEcr, sts: str) -> None:
    """Without session_name, CloudTrail shows `rotator`."""
    source(fake, sts_endpoint_url=sts, role_arn=ROLE).fetch([])
    assert assumed()[fake.signers[-1]].session_name == "rotator"


def test_a_session_of_its_own_for_each_fetch(fake: FakeEcr, sts: str) -> None:
    """An old session's end never matters: each fetch gets a new one."""
    made = source(fake, sts_endpoint_url=sts, role_arn=ROLE)
    made.fetch([])
    made.fetch([])
    assert len(set(fake.signers)) == 2


def test_web_identity(
    fake: FakeEcr, sts: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pod's token becomes a session of the role, without any key."""
    only_aws(monkeypatch)
    token = tmp_path / "token"
    token.write_text("s3cr3t-identity-token")
    source(fake, sts_endpoint_url=sts, role_arn=ROLE, web_identity_token_file=token).fetch([])
    assert assumed()[fake.signers[-1]].role_arn == ROLE


def test_web_identity_of_the_environment(
    fake: FakeEcr, sts: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What EKS puts into a pod's environment is found by itself."""
    token = tmp_path / "token"
    token.write_text("s3cr3t-identity-token")
    only_aws(
        monkeypatch,
        AWS_ROLE_ARN=ROLE,
        AWS_WEB_IDENTITY_TOKEN_FILE=str(token),
        AWS_ENDPOINT_URL_STS=sts,
    )
    made = source(fake)
    made.fetch([])
    assert assumed()[fake.signers[-1]].role_arn == ROLE
    stamp = made.login_stamp()
    token.write_text("s3cr3t-another-identity-token")
    assert made.login_stamp() != stamp


@pytest.mark.parametrize("way", ["environment", "profile", "profile's token", "token, then role"])
def test_sts_endpoint_url_holds_for_every_way(
    fake: FakeEcr, sts: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """However a role is assumed, the configured STS is asked; nothing else says where it is."""
    token, config = tmp_path / "token", tmp_path / "config"
    token.write_text("s3cr3t-identity-token")
    keys = f"aws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
    config.write_text(
        f"[profile key]\n{keys}"
        f"[profile hop]\nsource_profile = key\nrole_arn = {FIRST_ROLE}\n"
        f"[profile token]\nweb_identity_token_file = {token}\nrole_arn = {FIRST_ROLE}\n"
    )
    pod = {"AWS_ROLE_ARN": FIRST_ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": str(token)}
    environment, settings, role = {
        "environment": (pod, {}, FIRST_ROLE),
        "profile": ({}, {"profile": "hop"}, FIRST_ROLE),
        "profile's token": ({}, {"profile": "token"}, FIRST_ROLE),
        "token, then role": (pod, {"role_arn": ROLE}, ROLE),
    }[way]
    only_aws(monkeypatch, AWS_CONFIG_FILE=str(config), **environment)
    before = set(assumed())
    source(fake, sts_endpoint_url=sts, **settings).fetch([])
    assert assumed()[fake.signers[-1]].role_arn == role
    made = {assumed()[key].role_arn for key in set(assumed()) - before}
    assert made == ({FIRST_ROLE, ROLE} if way == "token, then role" else {role})


@pytest.mark.parametrize("way", ["environment", "profile"])
def test_an_error_of_sts_names_sts(
    fake: FakeEcr, denying_sts: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Where the SDK itself asks STS, its refusal is not said to be ECR's."""
    (tmp_path / "token").write_text("s3cr3t-identity-token")
    profiles(tmp_path, "http://127.0.0.1:1", monkeypatch)
    if way == "environment":
        only_aws(
            monkeypatch, AWS_ROLE_ARN=ROLE, AWS_WEB_IDENTITY_TOKEN_FILE=str(tmp_path / "token")
        )
    settings = {"profile": "hop"} if way == "profile" else {}
    with pytest.raises(DriverError) as caught:
        source(fake, sts_endpoint_url=denying_sts, **settings).fetch([])
    assert caught.value.reason is Reason.FORBIDDEN
    assert " of sts in eu-west-1" in caught.value.detail
    assert "ecr" not in caught.value.detail
    assert fake.calls == 0


class DenyingSts(Handler):
    """An STS that lets nobody assume anything; moto's allows everything."""

    def do_POST(self) -> None:
        """Deny, as STS does."""
        body = (
            "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User: "
            "arn:aws:iam::123456789012:user/ci is not authorized to perform: sts:AssumeRole on "
            f"resource: {ROLE}</Message></Error></ErrorResponse>"
        ).encode()
        self.body()
        self.send(403, body)


@pytest.fixture
def denying_sts() -> Iterator[str]:
    """Return the address of an STS that denies."""
    server = Loopback()
    server.serve(DenyingSts)
    with server:
        yield server.url


def profiles(folder: Path, sts: str, patch: pytest.MonkeyPatch) -> None:
    """Write a profile that reaches a role in one account with a key."""
    config = folder / "config"
    config.write_text(
        f"[profile key]\n"
        f"aws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
        f"[profile hop]\nsource_profile = key\nrole_arn = {FIRST_ROLE}\nregion = eu-west-1\n"
        f"services = here\n"
        f"[services here]\nsts =\n  endpoint_url = {sts}\n"
    )
    only_aws(patch, AWS_CONFIG_FILE=str(config))


def test_a_profile_with_a_role(
    fake: FakeEcr, sts: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A profile's own role is assumed by the SDK."""
    profiles(tmp_path, sts, monkeypatch)
    source(fake, profile="hop").fetch([])
    assert assumed()[fake.signers[-1]].role_arn == FIRST_ROLE


def test_a_chain_over_two_accounts(
    fake: FakeEcr, sts: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A role in one account, reached by a profile, assumes a role in another."""
    profiles(tmp_path, sts, monkeypatch)
    before = set(assumed())
    source(fake, profile="hop", role_arn=ROLE, sts_endpoint_url=sts).fetch([])
    made = {assumed()[key].role_arn for key in set(assumed()) - before}
    assert made == {FIRST_ROLE, ROLE}
    assert assumed()[fake.signers[-1]].role_arn == ROLE


def test_sts_not_there(fake: FakeEcr) -> None:
    """An STS that can't be reached is told as such, and ECR is not asked."""
    nowhere = f"http://127.0.0.1:{free_port()}"
    made = source(fake, sts_endpoint_url=nowhere, role_arn=ROLE)
    with pytest.raises(DriverError) as caught:
        made.fetch([])
    assert caught.value.reason is Reason.UNREACHABLE
    assert "AssumeRole of sts" in caught.value.detail
    assert fake.calls == 0


def test_sts_denied_names_the_role(fake: FakeEcr, denying_sts: str) -> None:
    """A role that may not be assumed: the hint has the statement, the role and the trust policy."""
    made = source(fake, sts_endpoint_url=denying_sts, role_arn=ROLE)
    with pytest.raises(DriverError) as caught:
        made.fetch([])
    assert caught.value.reason is Reason.FORBIDDEN
    assert "arn:aws:iam::123456789012:user/ci" in caught.value.detail
    assert "sts:AssumeRole" in caught.value.hint
    assert f"trust policy of {ROLE}" in caught.value.hint
