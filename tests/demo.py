"""`make demo`: the main job on this machine, with everything it needs started and ended here.

A real OpenBao holds a registry's password; the ECR endpoint and the two registries are the test
suite's stand-ins. The ports and paths are those of `config/demo.yaml`.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

if __name__ == "__main__":
    # A Ctrl-C while modules load has nothing to end, and prints no traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from tests.fakes.ecr import ACCESS_KEY, SECRET_KEY, FakeEcr
from tests.fakes.registry import BasicRegistry
from tests.servers.openbao import OpenBao

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "config" / "demo.yaml"
PLACE = Path("/tmp/rotator-demo")  # noqa: S108  made below, for its owner alone
PORTS = (18220, 18221, 18222, 18223)
PASSWORD = "s3cr3t-harbor-password"
NEXT = {
    "sudo make install": "or a package: deploy/README.md",
    "sudo editor /etc/rotator/rotator.yaml": "to begin with: config/",
    "rotator check --offline": "then: systemctl enable --now rotator",
}


def main() -> int:
    """Show two runs; return the first exit code that is not 0."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for ending in (signal.SIGTERM, signal.SIGHUP):  # SIGHUP: somebody closes the terminal
        signal.signal(ending, lambda number, _: sys.exit(128 + number))
    with ExitStack() as stack:
        make_place(stack)
        for port in PORTS:
            refuse_taken(port)
        say("Starting OpenBao, an ECR endpoint and a registry on 127.0.0.1 …")
        bao = stack.enter_context(OpenBao(PLACE / "openbao", port=18220))
        stack.enter_context(BasicRegistry({"robot$ci": PASSWORD}, port=18222))
        stack.enter_context(FakeEcr(port=18223))
        bao.put("secret/data/registries/harbor", {"username": "robot$ci", "password": PASSWORD})
        token = PLACE / "vault-token"
        token.touch(mode=0o600)
        token.write_text(bao.root)
        code = rotator("run-once")
        say("Once more, only what is due: nothing is, so nothing is fetched or written.")
        code = code or rotator("run-once", "--only-due")
        config = PLACE / "docker" / "config.json"
        size = config.stat().st_size
        say(f"The docker config: {config} ({size} bytes, readable for its owner alone).")
        say("A job mounts that file: see README.md. Everything that was started here ends now.")
        say("Next, for a host of yours:")
        for command, about in NEXT.items():
            print(f"  {command:<40} # {about}")  # noqa: T201  it talks to a person
    return code


def make_place(stack: ExitStack) -> None:
    """Make the demo's directory, refusing one that is somebody else's; drop what a run left."""
    PLACE.mkdir(mode=0o700, exist_ok=True)
    if PLACE.is_symlink() or PLACE.stat().st_uid != os.getuid():
        sys.exit(f"{PLACE} is not yours: ls -ld {PLACE}")
    for left in ("state", "docker", "openbao", "vault-token"):
        shutil.rmtree(PLACE / left, ignore_errors=True)
    (PLACE / "docker").mkdir(mode=0o700)
    stack.callback((PLACE / "vault-token").unlink, missing_ok=True)


def refuse_taken(port: int) -> None:
    """End the demo where another process listens on one of its ports."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            sys.exit(f"port {port} is taken: see who has it (ss -ltnp), end it, run this again")


def rotator(*words: str) -> int:
    """Run the installed command as a user would, and return its exit code."""
    program = str(Path(sys.executable).with_name("rotator"))
    say(f"$ rotator --config config/demo.yaml {' '.join(words)}")
    environment = {
        **{
            name: os.environ[name]
            for name in ("PATH", "HOME", "TERM", "LANG")
            if name in os.environ
        },
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_EC2_METADATA_DISABLED": "true",
        "CREDENTIALS_DIRECTORY": str(PLACE),
    }
    return subprocess.run(
        [program, "--config", CONFIG, *words], env=environment, check=False
    ).returncode


def say(text: str) -> None:
    """Print a line of the demo."""
    print(f"\n{text}", flush=True)  # noqa: T201  it talks to a person


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
