"""The snippets in deploy/gitlab-runner do what they say, in real shells and a real engine."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from rotator.clients.judge import judge
from rotator.config.targets import (
    KubernetesConfigMapTargetSettings,
    KubernetesSecretTargetSettings,
)
from tests.clients.programs import ask_go
from tests.support import MARKED, need

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.docker_engine import DockerEngine
    from tests.servers.docker_registry import DockerRegistry

FOLDER = Path(__file__).parents[2] / "deploy" / "gitlab-runner"
NAMES = sorted(
    path.name for path in FOLDER.iterdir() if path.name.endswith((".toml", ".gitlab-ci.yml"))
)
HOST_PATH = "/opt/.docker"
MOUNTED = "/run/docker-auth"
SHELLS = {"sh": ["sh"], "bash": ["bash"], "busybox": ["busybox", "sh"]}

OLD = '{"auths":{"r.example.com":{"auth":"b2xk"}}}'
NEW = '{"auths":{"r.example.com":{"auth":"bmV3"}}}'
AWKWARD = r'{"auths":{"r.example.com":{"auth":"eDp5","note":"a\\n%s $HOME * é"}}}'


def load(name: str) -> Any:
    """Return what is in a snippet: a runner's section, or a pipeline."""
    text = (FOLDER / name).read_text("utf-8")
    if name.endswith(".toml"):
        (runner,) = tomllib.loads(text)["runners"]
        return runner
    return yaml.safe_load(text)


def script(name: str, job: str = "build") -> str:
    """Return the shell lines that a snippet adds before the job's own."""
    snippet = load(name)
    if name.endswith(".toml"):
        return str(snippet["pre_build_script"])
    return "\n".join(snippet[job]["before_script"])


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Path]:
    """Run lines in each shell that jobs meet, as the runner does, and return the docker config."""
    program, *applet = SHELLS[request.param]
    program = need(program, {"busybox": "busybox-static", "sh": "dash"}.get(program, program))
    home = tmp_path / "home"
    home.mkdir()

    def run(lines: str, **environment: str) -> Path:
        environment = {"PATH": os.environ["PATH"], **environment, "HOME": str(home)}
        command = [program, *applet, "-euc", lines]
        done = subprocess.run(command, env=environment, cwd=home, check=False, capture_output=True)
        assert done.returncode == 0, done.stderr
        return home / ".docker" / "config.json"

    return run


def publish(text: str, path: Path) -> None:
    """Write as the file target does: a new file renamed over the old one."""
    new = path.with_suffix(".new")
    new.write_text(text + "\n")
    new.replace(path)


@pytest.mark.parametrize("name", NAMES)
def test_every_snippet_is_well_formed(name: str) -> None:
    """Each parses, says what it is for, names no real host, and has executor or job."""
    snippet = load(name)
    assert (FOLDER / name).read_text("utf-8").startswith("# ")
    if name.endswith(".toml"):
        assert snippet["executor"] in ("docker", "kubernetes")
        assert snippet["executor"] in snippet
    else:
        assert snippet["build"]["services"] == ["docker:28-dind"]


@pytest.mark.parametrize("name", ["docker-auth-config.gitlab-ci.yml", "docker-auth-config.toml"])
@pytest.mark.parametrize("document", [OLD, AWKWARD], ids=["plain", "awkward"])
def test_variable_becomes_the_config(shell: Callable[..., Path], name: str, document: str) -> None:
    """Every character of the variable arrives in the file, in every shell."""
    assert shell(script(name), DOCKER_AUTH_CONFIG=document).read_text() == document + "\n"


def test_the_line_in_gitlabs_docs_works(shell: Callable[..., Path]) -> None:
    """What GitLab's page tells people to write takes the published document, as it is compact."""
    line = "mkdir -p $HOME/.docker; echo $DOCKER_AUTH_CONFIG > $HOME/.docker/config.json"
    assert shell(line, DOCKER_AUTH_CONFIG=OLD).read_text() == OLD + "\n"


def test_jobs_without_the_variable_are_left_alone(shell: Callable[..., Path]) -> None:
    """The runner's script makes nothing where there is no variable, and overwrites nothing."""
    lines = script("docker-auth-config.toml")
    config = shell(lines)
    assert not config.exists()
    config.parent.mkdir()
    config.write_text("theirs")
    assert shell(lines, DOCKER_AUTH_CONFIG="").read_text() == "theirs"


@pytest.mark.parametrize(
    "name", ["docker-executor-directory.toml", "kubernetes-executor-secret.toml"]
)
def test_link_follows(shell: Callable[..., Path], tmp_path: Path, name: str) -> None:
    """The link reads each new document, replaces what an image brought, and can be made twice."""
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    publish(OLD, mounted / "config.json")
    lines = script(name).replace(MOUNTED, str(mounted))
    config = shell(f"mkdir ~/.docker; echo stale > ~/.docker/config.json; {lines}")
    assert json.loads(config.read_text()) == json.loads(OLD)
    publish(NEW, mounted / "config.json")
    assert json.loads(shell(lines).read_text()) == json.loads(NEW)


def test_docker_volumes() -> None:
    """Both Docker snippets mount what the file target writes, read-only, where the job reads it."""
    one = load("docker-executor-file.toml")["docker"]["volumes"]
    all_ = load("docker-executor-directory.toml")["docker"]["volumes"]
    assert f"{HOST_PATH}/config.json:/root/.docker/config.json:ro" in one
    assert f"{HOST_PATH}:{MOUNTED}:ro" in all_


def test_kubernetes_volumes() -> None:
    """Both Kubernetes snippets mount the object and key that the targets' defaults write."""
    where = {"namespace": "gitlab-runner", "name": "docker-client-config"}
    (config_map,) = volumes = load("kubernetes-executor-configmap.toml")["kubernetes"]["volumes"][
        "config_map"
    ]
    assert len(volumes) == 1
    target = KubernetesConfigMapTargetSettings(**where)
    assert (config_map["name"], config_map["sub_path"]) == (target.name, target.key)
    assert config_map["mount_path"] == "/root/.docker/config.json"

    runner = load("kubernetes-executor-secret.toml")
    (secret,) = runner["kubernetes"]["volumes"]["secret"]
    assert runner["kubernetes"]["namespace"] == target.namespace
    assert (secret["name"], secret["mount_path"]) == (target.name, MOUNTED)
    assert secret["items"] == {KubernetesSecretTargetSettings(**where).key: "config.json"}
    assert "sub_path" not in secret


def start_job(engine: DockerEngine, name: str, folder: Path, lines: str = ":") -> str:
    """Start a job with a snippet's mounts, the host's path being `folder`; return its id."""
    volumes = load(name)["docker"]["volumes"]
    mounts = [volume.replace(HOST_PATH, str(folder)) for volume in volumes if ":" in volume]
    flags = [flag for mount in mounts for flag in ("--volume", mount)]
    command = ["sh", "-ec", f"{lines}\ntouch /tmp/ready; sleep 600"]
    return engine.docker(
        "run", "--detach", "--network", "none", *flags, engine.image, *command
    ).strip()


def seen(engine: DockerEngine, job: str) -> Any:
    """Return the docker config as the running job reads it."""
    ready = "until [ -e /tmp/ready ]; do sleep 0.05; done; cat ~/.docker/config.json"
    return json.loads(engine.docker("exec", job, "sh", "-c", ready))


@pytest.fixture
def host_folder(tmp_path: Path, docker_engine: DockerEngine) -> Path:
    """Make what the file target keeps on the host; end the jobs afterwards."""
    publish(OLD, tmp_path / "config.json")
    return tmp_path


def test_file_mount_in_a_real_engine(docker_engine: DockerEngine, host_folder: Path) -> None:
    """With the single file a new job has the new document, a running one keeps its own."""
    name = "docker-executor-file.toml"
    jobs = [start_job(docker_engine, name, host_folder)]
    try:
        publish(NEW, host_folder / "config.json")
        jobs.append(start_job(docker_engine, name, host_folder))
        assert [seen(docker_engine, job) for job in jobs] == [json.loads(OLD), json.loads(NEW)]
    finally:
        docker_engine.docker("rm", "--force", "--volumes", *jobs)


def test_directory_mount_in_a_real_engine(docker_engine: DockerEngine, host_folder: Path) -> None:
    """With directory and link a running job sees the new document, and ~/.docker is writable."""
    name = "docker-executor-directory.toml"
    job = start_job(docker_engine, name, host_folder, script(name))
    try:
        assert seen(docker_engine, job) == json.loads(OLD)
        publish(NEW, host_folder / "config.json")
        assert seen(docker_engine, job) == json.loads(NEW)
        docker_engine.docker("exec", job, "mkdir", "/root/.docker/buildx")
    finally:
        docker_engine.docker("rm", "--force", "--volumes", job)


def test_login_with_two_variables(
    docker_engine: DockerEngine,
    basic_registry: DockerRegistry,
    shell: Callable[..., Path],
    tmp_path: Path,
) -> None:
    """`docker login` with both variables succeeds, and the job then pulls."""
    # a job's image has no credential helper, this machine may: the client would store logins there
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "docker").symlink_to(need("docker", "docker.io"))
    password = f"{MARKED}pa$word\\n"
    user = basic_registry.new_user(password)
    image = basic_registry.push_image(user)
    job = f"{script('docker-login.gitlab-ci.yml')}\ndocker pull {image}"
    config = shell(
        job,
        **{**docker_engine.environment, "PATH": str(tools)},
        DOCKER_REGISTRY=basic_registry.host,
        DOCKER_REGISTRY_USER=user,
        DOCKER_REGISTRY_PASS=password,
    )
    auth = json.loads(config.read_text())["auths"][basic_registry.host]["auth"]
    assert base64.b64decode(auth).decode() == f"{user}:{password}"


@pytest.mark.parametrize("name", [one for one in NAMES if "executor" in one])
def test_a_mounted_file_is_not_overruled(shell: Callable[..., Path], name: str) -> None:
    """Docker 28.3 and newer would take the variable's logins first, so the job has none."""
    lines = script(name).replace(MOUNTED, "/nowhere")
    said = shell(
        f'{lines}\nprintf "%s" "${{DOCKER_AUTH_CONFIG-unset}}" > said', DOCKER_AUTH_CONFIG=OLD
    )
    assert (said.parents[1] / "said").read_text() == "unset"


def test_own_login_in_the_variable(shell: Callable[..., Path], tmp_path: Path) -> None:
    """It is the one form that Docker takes, and Docker finds the login in it."""
    password = f"{MARKED}pa$word\\n" + "x" * 200
    config = shell(
        script("own-login.gitlab-ci.yml") + '\nprintf "%s" "$DOCKER_AUTH_CONFIG" > own',
        OWN_REGISTRY="own.example.com:5000",
        OWN_USER="me",
        OWN_PASSWORD=password,
    )
    text = (config.parents[1] / "own").read_text()
    assert not judge(text).problems
    login = base64.b64decode(json.loads(text)["auths"]["own.example.com:5000"]["auth"]).decode()
    assert login == f"me:{password}"
    (used,) = ask_go("docker-variable", [(text, "own.example.com:5000")], tmp_path)
    assert used.users == {"me"}


def test_own_login_in_a_copy(
    docker_engine: DockerEngine,
    basic_registry: DockerRegistry,
    shell: Callable[..., Path],
    tmp_path: Path,
) -> None:
    """`docker login` writes the copy; the mounted document stays, and its logins are in both."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("docker", "mktemp", "cp", "chmod", "cat"):
        (tools / tool).symlink_to(need(tool, "docker.io"))
    config = tmp_path / "home" / ".docker" / "config.json"
    config.parent.mkdir()
    publish(OLD, config)
    config.chmod(0o400)
    password = f"{MARKED}pa$word\\n"
    user = basic_registry.new_user(password)
    image = basic_registry.push_image(user)
    lines = script("own-login.gitlab-ci.yml", "build-with-older-docker")
    shell(
        f'{lines}\ndocker pull {image}\ncat "$DOCKER_CONFIG/config.json" > own',
        **{**docker_engine.environment, "PATH": str(tools)},
        OWN_REGISTRY=basic_registry.host,
        OWN_USER=user,
        OWN_PASSWORD=password,
    )
    copied = json.loads((tmp_path / "home" / "own").read_text())["auths"]
    assert set(copied) == {"r.example.com", basic_registry.host}
    assert config.read_text() == OLD + "\n"


def test_what_the_page_asks_for_can_be_judged(shell: Callable[..., Path]) -> None:
    """The emergency page prints both forms in base64, which no log masks and `check` takes."""
    page = (FOLDER.parent / "README.md").read_text()
    for command in ("base64 ~/.docker/config.json", 'echo "$DOCKER_AUTH_CONFIG" | base64'):
        assert f"`{command}`" in page
        lines = f"mkdir -p ~/.docker; echo '{OLD}' > ~/.docker/config.json; {command} > said"
        said = shell(lines, DOCKER_AUTH_CONFIG=OLD).parents[1] / "said"
        assert json.loads(base64.b64decode(said.read_text())) == json.loads(OLD)
