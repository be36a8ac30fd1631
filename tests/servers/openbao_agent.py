"""OpenBao's own agent, which renders a docker config from a template: the tool to be better than.

https://openbao.org/docs/agent-and-proxy/agent/template/
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Self

from tests.servers.openbao import bao_program
from tests.support import free_port, until

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_CONFIG = """
vault {{
  address = "{address}"
}}
auto_auth {{
  method "approle" {{
    mount_path = "{mount}"
    config = {{
      role_id_file_path = "{role_id_file}"
      secret_id_file_path = "{secret_id_file}"
      remove_secret_id_file_after_reading = false
    }}
  }}
}}
template_config {{
  static_secret_render_interval = "5s"
}}
template {{
  contents = {template}
  destination = "{file}"
}}
"""


class OpenBaoAgent:
    """A context manager: the agent with an AppRole login and one template, with its defaults.

    `data`: where a template finds the fields, `.Data` or for KV 2 `.Data.data`. `file` is what it
    renders; it looks at secrets without a lease every 5 s.
    """

    def __init__(
        self, folder: Path, address: str, auth: Mapping[str, str], path: str, host: str, data: str
    ) -> None:
        self.file = folder / "agent" / "config.json"
        self._folder = folder / "agent"
        self._folder.mkdir()
        (self._folder / "role-id").write_text(auth["role_id"])
        both = f'printf "%s:%s" {data}.username {data}.password | base64Encode'
        secret = f'{{{{ with secret "{path}" }}}}{{{{ {both} }}}}{{{{ end }}}}'
        template = json.dumps({"auths": {host: {"auth": "SECRET"}}}).replace("SECRET", secret)
        self._config = self._folder / "agent.hcl"
        self._config.write_text(
            _CONFIG.format(
                address=address,
                mount=f"auth/{auth['mount']}",
                role_id_file=self._folder / "role-id",
                secret_id_file=auth["secret_id_file"],
                template=json.dumps(template),
                file=self.file,
            )
        )
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [bao_program(), "agent", "-config", str(self._config)],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={"HOME": str(self._folder), "PATH": os.environ.get("PATH", "")},
            )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)


_AUTO_AUTH = """
auto_auth {{
  method "approle" {{
    mount_path = "auth/{mount}"
    config = {{
      role_id_file_path = "{role_id_file}"
      secret_id_file_path = "{secret_id_file}"
      remove_secret_id_file_after_reading = false
    }}
  }}
}}
"""
_API = """
vault {{
  address = "{address}"
}}
{auto_auth}api_proxy {{
  use_auto_auth_token = {adds_token}
}}
listener "unix" {{
  address = "{socket}"
  tls_disable = true
  require_request_header = true
}}
listener "tcp" {{
  address = "127.0.0.1:{port}"
  tls_disable = true
}}
"""


class OpenBaoApi:
    """A context manager: OpenBao's agent or proxy (`kind`) as an API that adds its own token.

    https://openbao.org/docs/agent-and-proxy/proxy/apiproxy/ . It listens at `url` and at `socket`.
    """

    def __init__(
        self,
        kind: str,
        folder: Path,
        address: str,
        auth: Mapping[str, str],
        *,
        adds_token: bool = True,
    ) -> None:
        self.socket = f"unix://{folder}/api.sock"
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._kind = kind
        self._ready = "authentication successful" if adds_token else ""
        self._folder = folder
        (folder / "role-id").write_text(auth["role_id"])
        self._config = folder / "api.hcl"
        self._config.write_text(
            _API.format(
                address=address,
                auto_auth=_AUTO_AUTH.format(
                    mount=auth["mount"],
                    role_id_file=folder / "role-id",
                    secret_id_file=auth["secret_id_file"],
                )
                if adds_token
                else "",
                adds_token=str(adds_token).lower(),
                socket=folder / "api.sock",
                port=self._port,
            )
        )

    def __enter__(self) -> Self:
        with (self._folder / "api.log").open("wb") as log:
            self._process = subprocess.Popen(
                [bao_program(), self._kind, "-config", str(self._config)],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={"HOME": str(self._folder), "PATH": os.environ.get("PATH", "")},
            )
        until(self._is_ready, 20, f"OpenBao's {self._kind} to be ready")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)

    def _is_ready(self) -> bool:
        log = (self._folder / "api.log").read_text()
        return (self._folder / "api.sock").exists() and self._ready in log
