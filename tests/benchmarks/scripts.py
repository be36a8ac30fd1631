"""What people use instead: the scripts they write, and Vault's agent."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks import installed
from tests.benchmarks.site import GROUP, SCRIPTS
from tests.servers.openbao import bao_program

if TYPE_CHECKING:
    from tests.benchmarks.site import Site

# As in any such script: fetch, put together, publish. It proves nothing, keeps nobody else's
# entries and leaves no mark.
_ECR = """\
set -eu
password=$({aws} ecr get-login-password --region eu-west-1 --endpoint-url {ecr})
auth=$(printf 'AWS:%s' "$password" | base64 -w0)
printf '{{"auths":{{"%s":{{"auth":"%s"}}}}}}\\n' '{host}' "$auth" > docker/script.json.new
mv docker/script.json.new docker/script.json
"""
# The stand-in cluster has no schema to validate against, which spares the script two requests.
_THREE = """\
{kubectl} create configmap script --namespace ci --from-file=config.json=docker/script.json \\
    --dry-run=client --output yaml | {kubectl} apply --validate=false --filename -
printf '{{"value":"%s","masked":true,"raw":true}}' "$(sed 's/["\\\\]/\\\\&/g' docker/script.json)" |
    curl --fail-with-body --silent --show-error --output /dev/null --request PUT \\
        --header "PRIVATE-TOKEN: $(cat gitlab-token)" --header 'Content-Type: application/json' \\
        --data @- '{gitlab}/api/v4/groups/{group}/variables/{variable}'
"""
_AGENT = """\
exit_after_auth = {once}
pid_file = "{place}/agent.pid"
vault {{ address = "{address}" }}
auto_auth {{
  method "token_file" {{ config = {{ token_file_path = "{place}/vault-token" }} }}
}}
template {{
  contents = "{{{{ with secret `secret/data/harbor` }}}}{{{{ .Data.data.password }}}}{{{{ end }}}}"
  destination = "{place}/docker/agent.json"
}}
"""


def ecr_script(here: Site) -> list[str]:
    """Return the command of the script from ECR to a file."""
    return ["sh", str(here.write("ecr.sh", _ecr(here)))]


def three_script(here: Site) -> list[str]:
    """Return the command of the script from ECR to a file, a ConfigMap and a group variable."""
    rest = _THREE.format(
        kubectl=Path(sys.executable).with_name("kubectl"),
        gitlab=here.gitlab.url,
        group=GROUP,
        variable=SCRIPTS,
    )
    return ["sh", str(here.write("three.sh", _ecr(here) + rest))]


def agent(here: Site, *, once: bool) -> list[str]:
    """Return the command of the agent; `once`: it ends when the secret is rendered."""
    text = _AGENT.format(once=str(once).lower(), place=here.place, address=here.bao.url)
    return [bao_program(), "agent", f"-config={here.write(f'agent-{once}.hcl', text)}"]


def _ecr(here: Site) -> str:
    return _ECR.format(aws=installed.aws(), ecr=here.ecr.url, host=here.ecr.host)
