"""Docker credential helpers, well behaved, real (`pass`) and misbehaving."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import traceback
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from rotator.config.sources import CredentialHelperSourceSettings
from rotator.core.docker_entry import DOCKER_HUB
from rotator.core.errors import DriverError, PermanentError, Reason, TemporaryError
from rotator.core.model import Credential, Secret
from rotator.sources.credential_helper import LARGEST_ANSWER, CredentialHelperSource, build
from tests.fakes.credential_helper import SECRET, answer, ended, install
from tests.support import NOW, need, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

HOST = "registry.example.com:5000"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder where a test's helper is installed."""
    return tmp_path / "bin"


def source(
    folder: Path,
    script: str | None = None,
    *registries: str,
    timeout: float = 30,
    lifetime: timedelta | None = None,
    environment: Mapping[str, str] | None = None,
) -> CredentialHelperSource:
    """Build a source whose helper is this shell script."""
    if script is not None:
        install(folder, "spy", script)
    settings = CredentialHelperSourceSettings(
        name="helper",
        helper="spy",
        registries=registries or (HOST,),
        lifetime=lifetime,
        timeout=timedelta(seconds=timeout),
    )
    variables = {"PATH": f"{folder}:{os.environ['PATH']}", **(environment or {})}
    return CredentialHelperSource(settings, lambda: NOW, variables)


def failure(broken: CredentialHelperSource) -> DriverError:
    """Return what a fetch raises, after a search for the secret in all that may be printed."""
    with pytest.raises(DriverError) as caught:
        broken.fetch(())
    error = caught.value
    printed = "".join(traceback.format_exception(error)) + error.detail + error.hint
    for form in (SECRET, base64.b64encode(SECRET.encode()).decode()):
        assert form not in printed
    return error


def test_answers(folder: Path) -> None:
    """A helper's answer becomes a credential that began when it was asked, without an end."""
    assert source(folder, answer()).fetch(()) == [Credential(HOST, "ci", Secret(SECRET), NOW)]


def test_lifetime(folder: Path) -> None:
    """With a lifetime, the credential ends that long after it was asked for."""
    (credential,) = source(folder, answer(), lifetime=timedelta(hours=1)).fetch(())
    assert credential.expires_at == NOW + timedelta(hours=1)


@pytest.mark.parametrize("registry", [HOST, DOCKER_HUB, "registry.example.com/team"])
def test_asks_as_docker_does(folder: Path, registry: str) -> None:
    """The registry's key in `auths` is on standard input, and nowhere else."""
    script = f'cat >{folder}/stdin; echo "$@" >{folder}/arguments; {answer()}'
    source(folder, script, registry).fetch(())
    assert (folder / "stdin").read_text() == registry
    assert (folder / "arguments").read_text() == "get\n"


def test_each_registry(folder: Path) -> None:
    """Each registry gets a run and a credential of its own."""
    script = """printf '{"Username": "ci", "Secret": "s3cr3t-%s"}' "$(cat)" """
    fetched = source(folder, script, "a.example.com", "b.example.com").fetch(())
    assert [(found.registry, found.password.reveal()) for found in fetched] == [
        ("a.example.com", "s3cr3t-a.example.com"),
        ("b.example.com", "s3cr3t-b.example.com"),
    ]


@pytest.mark.parametrize(
    "printed",
    [
        pytest.param(
            '{"ServerURL": "x", "Username": "ci", "Secret": "s3cr3t-x"}', id="with server"
        ),
        pytest.param(' \n{"username": "ci", "SECRET": "s3cr3t-x"}\n', id="any case"),
        pytest.param('{"Username": "ci", "Secret": "s3cr3t-x"}\nGoodbye.', id="more after it"),
    ],
)
def test_reads_what_docker_reads(folder: Path, printed: str) -> None:
    """Answers that docker understands are understood."""
    (credential,) = source(folder, f"cat <<'END'\n{printed}\nEND").fetch(())
    assert (credential.username, credential.password.reveal()) == ("ci", "s3cr3t-x")


def test_environment(folder: Path) -> None:
    """A helper sees what finds its login, and nothing else of our environment."""
    seen = {
        "HOME": "/home/ci",
        "https_proxy": "http://proxy:3128",
        "AWS_PROFILE": "ci",
        "AZURE_FEDERATED_TOKEN_FILE": "/var/run/token",
        "GOOGLE_APPLICATION_CREDENTIALS": "/etc/gcp.json",
        "PASSWORD_STORE_DIR": "/home/ci/pass",
        "XDG_RUNTIME_DIR": "/run/user/1",
        "LC_ALL": "C.UTF-8",
    }
    unseen = {
        "VAULT_TOKEN": "s3cr3t-1",
        "GITLAB_TOKEN": "s3cr3t-2",
        "CI_JOB_TOKEN": "s3cr3t-3",
        "DOCKER_AUTH_CONFIG": "s3cr3t-4",
        "ROTATOR_SECRET_ID": "s3cr3t-5",
        "NOTIFY_SOCKET": "/run/systemd/notify",
        "CREDENTIALS_DIRECTORY": "/run/credentials/rotator",
        "LD_PRELOAD": "/nowhere.so",
    }
    script = f"env >{folder}/environment; {answer()}"
    source(folder, script, environment=seen | unseen).fetch(())
    got = dict(line.split("=", 1) for line in (folder / "environment").read_text().splitlines())
    assert seen.items() <= got.items()
    assert not unseen.keys() & got.keys()


MISBEHAVING = {
    "crashes": ("kill -SEGV $$", TemporaryError, Reason.UNAVAILABLE, "signal 11 (Segmentation"),
    "ends with a code": ("exit 3", TemporaryError, Reason.UNAVAILABLE, "exit code 3"),
    "tells its secret in its log": (f"echo {SECRET} >&2; exit 1", TemporaryError,
        Reason.UNAVAILABLE, "exit code 1"),
    "tells its secret as its error": (f"echo bad password {SECRET}; exit 1", TemporaryError,
        Reason.UNAVAILABLE, "exit code 1"),
    "says nothing": ("exit 0", PermanentError, Reason.MALFORMED, "is empty"),
    "prints text": (f"echo {SECRET}", PermanentError, Reason.MALFORMED, "not a JSON object"),
    "prints half": (f"""echo '{{"Secret": "{SECRET}'""", PermanentError, Reason.MALFORMED,
        "not a JSON object"),
    "prints a list": (f"""echo '["{SECRET}"]'""", PermanentError, Reason.MALFORMED, "JSON object"),
    "prints bytes": (r"printf '\377\376'", PermanentError, Reason.MALFORMED, "JSON object"),
    "nests deeply": ("yes '[' | head -n 30000 | tr -d '\\n'", PermanentError, Reason.MALFORMED,
        "JSON object"),
    "number for a secret": ("""echo '{"Username": "ci", "Secret": 1}'""", PermanentError,
        Reason.MALFORMED, "not text"),
    "half a character": (r"""printf '%s' '{"Username": "ci", "Secret": "\ud800"}'""",
        PermanentError, Reason.MALFORMED, "not text"),
    "floods": (f"yes {SECRET}", PermanentError, Reason.TOO_LARGE,
        f"more than {LARGEST_ANSWER} bytes"),
    "colon in its username": (answer("a:b"), PermanentError, Reason.INVALID, "colon"),
    "no username": (answer(""), PermanentError, Reason.FIELD_MISSING, "has no username"),
    "no secret": (answer("ci", ""), PermanentError, Reason.FIELD_MISSING, "has no secret"),
    "neither": (answer("", ""), PermanentError, Reason.NOT_FOUND, "knows no login"),
    "null": ("""echo '{"Username": null}'""", PermanentError, Reason.NOT_FOUND, "knows no login"),
    "no interpreter": ("#!/nowhere/sh\n", PermanentError, Reason.INVALID, "cannot start"),
    "no program": ("#!", PermanentError, Reason.INVALID, "cannot start"),
}  # fmt: skip


def test_identity_token(folder: Path) -> None:
    """An identity token, as Azure's helpers give, is carried as such."""
    (credential,) = source(folder, answer("<token>")).fetch(())
    assert (credential.username, credential.password.reveal()) == ("<token>", SECRET)


@pytest.mark.parametrize("case", MISBEHAVING)
def test_misbehaves(folder: Path, case: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Each misbehaviour has its reason; nothing that the helper printed is passed on."""
    script, kind, reason, words = MISBEHAVING[case]
    error = failure(source(folder, script))
    assert (type(error), error.reason) == (kind, reason)
    assert words in error.detail
    assert HOST in error.detail or "cannot start" in error.detail
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("text", "kind", "reason", "hint"),
    [
        (
            "credentials not found in native keychain",
            PermanentError,
            Reason.NOT_FOUND,
            f"docker login {HOST}",
        ),
        (
            "no credentials server URL",
            PermanentError,
            Reason.INVALID,
            f"echo {HOST} | docker-credential-spy get",
        ),
        ("no credentials username", PermanentError, Reason.FIELD_MISSING, f"docker login {HOST}"),
        (
            "pass not initialized: exit status 1: Error",
            PermanentError,
            Reason.NOT_FOUND,
            "pass init",
        ),
        (
            "dial tcp: lookup metadata.google.internal: no such host",
            TemporaryError,
            Reason.UNREACHABLE,
            "proxy, firewall, DNS",
        ),
        (
            "dial tcp 169.254.169.254:80: connect: connection refused",
            TemporaryError,
            Reason.UNREACHABLE,
            "proxy, firewall, DNS",
        ),
        (
            "dial tcp 10.0.0.1:443: i/o timeout",
            TemporaryError,
            Reason.UNREACHABLE,
            "proxy, firewall, DNS",
        ),
    ],
)
def test_known_errors(
    folder: Path, text: str, kind: type[DriverError], reason: Reason, hint: str
) -> None:
    """The protocol's own error texts, and usual ones of the network, become plain reasons."""
    error = failure(source(folder, f"echo '{text}'; exit 1"))
    assert (type(error), error.reason) == (kind, reason)
    assert hint in error.hint


@pytest.mark.parametrize("hanging", ["sleep 600", "sleep 600 & echo $! >{0}/child; wait"])
def test_hangs(folder: Path, hanging: str) -> None:
    """A helper that hangs is ended after its timeout, with all that it started."""
    script = f"echo $$ >{folder}/child; {hanging.format(folder)}"
    error = failure(source(folder, script, timeout=0.5))
    assert (type(error), error.reason) == (TemporaryError, Reason.TIMEOUT)
    assert "within 0.5 s" in error.detail
    assert "raise timeout" in error.hint
    until(lambda: ended(int((folder / "child").read_text())), what="the helper to end")


def test_timeout_is_for_all(folder: Path) -> None:
    """Several registries don't take longer than one: the timeout counts for all together."""
    slow = source(folder, f"sleep 0.4; {answer()}", "a.example.com", "b.example.com", timeout=0.6)
    assert failure(slow).reason is Reason.TIMEOUT


def test_child_lives_on(folder: Path) -> None:
    """A child that holds the output open does not keep a good answer back."""
    script = f"sleep 600 & echo $! >{folder}/child; {answer()}"
    (credential,) = source(folder, script).fetch(())
    assert credential.password == Secret(SECRET)
    until(lambda: ended(int((folder / "child").read_text())), what="the child to end")


@pytest.mark.parametrize(
    ("helper", "hint"),
    [
        ("pass", "apt-get install golang-docker-credential-helpers pass"),
        ("ecr-login", "apt-get install amazon-ecr-credential-helper"),
        ("other", "install docker-credential-other where PATH finds it"),
    ],
)
def test_not_installed(tmp_path: Path, helper: str, hint: str) -> None:
    """A helper that is not there: where was looked, and how to install it."""
    absent = CredentialHelperSource(
        CredentialHelperSourceSettings(name="helper", helper=helper, registries=(HOST,)),
        lambda: NOW,
        {"PATH": str(tmp_path)},
    )
    error = failure(absent)
    assert (type(error), error.reason) == (PermanentError, Reason.NOT_FOUND)
    assert f"docker-credential-{helper} is not installed: it is not in {tmp_path}" in error.detail
    assert hint in error.hint


def test_not_executable(folder: Path) -> None:
    """A helper without the right to be run: the command that gives it."""
    path = install(folder, "spy", answer())
    path.chmod(0o644)
    error = failure(source(folder))
    assert error.reason is Reason.INVALID
    assert error.hint == f"make it so: chmod +x {path}"


def test_being_installed(folder: Path) -> None:
    """A helper that somebody is still writing can't be started for a moment."""
    path = install(folder, "spy", answer())
    with path.open("a"):
        error = failure(source(folder))
    assert (type(error), error.reason) == (TemporaryError, Reason.UNAVAILABLE)
    assert f"cannot start {path}" in error.detail


def test_installed_later(folder: Path) -> None:
    """A helper that is installed while we run is found."""
    later = source(folder)
    assert failure(later).reason is Reason.NOT_FOUND
    install(folder, "spy", answer())
    assert len(later.fetch(())) == 1


def test_build(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The configuration's keys arrive; the helper is found on our own PATH."""
    install(folder, "spy", answer())
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    settings = CredentialHelperSourceSettings(
        name="gcp", helper="spy", registries=(HOST,), lifetime=timedelta(hours=1)
    )
    built = build(settings, lambda: NOW)
    assert (built.name, built.registries) == ("gcp", frozenset({HOST}))
    (credential,) = built.fetch(())
    assert credential.expires_at == NOW + timedelta(hours=1)


class PassStore:
    """A real password store with a throwaway key, and Debian's helper in front of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            "PATH": os.environ["PATH"],
            "GNUPGHOME": str(folder / "gpg"),
            "PASSWORD_STORE_DIR": str(folder / "store"),
        }

    def run(self, *command: str, text: str = "") -> None:
        """Run a command in the store's environment."""
        subprocess.run(
            command,
            input=text,
            env=self.environment,
            check=True,
            text=True,
            capture_output=True,
            timeout=60,
        )

    def put(self, registry: str, secret: str) -> None:
        """Store a login as `docker login` does."""
        login = {"ServerURL": registry, "Username": "ci", "Secret": secret}
        self.run("docker-credential-pass", "store", text=json.dumps(login))

    def source(self, registry: str) -> CredentialHelperSource:
        """Return a source that asks this store."""
        return CredentialHelperSource(
            CredentialHelperSourceSettings(
                name="pass", helper="pass", registries=(registry,), timeout=timedelta(seconds=30)
            ),
            lambda: NOW,
            self.environment,
        )


@pytest.fixture(scope="module")
def pass_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PassStore]:
    """Start a password store; its agent ends with the module."""
    need("docker-credential-pass", "golang-docker-credential-helpers")
    need("pass", "pass")
    need("gpg", "gnupg")
    store = PassStore(tmp_path_factory.mktemp("p"))
    (store.folder / "gpg").mkdir(mode=0o700)
    key = ("--passphrase", "", "--quick-gen-key", "rotator-test", "future-default", "", "never")
    store.run("gpg", "--batch", "--quiet", *key)
    store.run("pass", "init", "rotator-test")
    yield store
    store.run("gpgconf", "--kill", "gpg-agent")


def test_pass(pass_store: PassStore) -> None:
    """A real helper's login is fetched, and its successor after it was replaced."""
    for secret in ("s3cr3t-first", "s3cr3t-second"):
        pass_store.put(HOST, secret)
        fetched = pass_store.source(HOST).fetch(())
        assert fetched == [Credential(HOST, "ci", Secret(secret), NOW)]


def test_pass_unknown(pass_store: PassStore) -> None:
    """A registry that a real helper does not know is not found."""
    error = failure(pass_store.source("unknown.example.com"))
    assert error.reason is Reason.NOT_FOUND
    assert "docker login unknown.example.com" in error.hint


def test_pass_without_its_key(pass_store: PassStore, tmp_path: Path) -> None:
    """A store whose key this user can't use is forbidden, not down."""
    pass_store.put(HOST, SECRET)
    stranger = PassStore(pass_store.folder)
    stranger.environment["GNUPGHOME"] = str(tmp_path)
    tmp_path.chmod(0o700)
    error = failure(stranger.source(HOST))
    assert (type(error), error.reason) == (PermanentError, Reason.FORBIDDEN)
