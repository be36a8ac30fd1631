"""A site where everything is used at once, and fails in every way, with a secret in every place.

Each failure is a rotation of its own beside one that is well, so one configuration has them all.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.e2e.haunted_places import HauntedPlaces
from tests.e2e.site import USER
from tests.fakes.ecr import ACCESS_KEY, SECRET_KEY, FakeEcr
from tests.fakes.gitlab_access import DEVELOPER, OWNER
from tests.fakes.kubernetes import ADMIN
from tests.servers.openbao import unique
from tests.support import MARKED, free_port

ODD = "-ä\"\\/+ &%<>'$"
"""Letters that look different in a URL, in JSON, in base64 and in a shell."""

KUBERNETES_USER = "s3cr3t-kubernetes-user"


class Haunted(HauntedPlaces):
    """Has every driver, well, in its first rotation, and a rotation for each failure."""

    def __post_init__(self) -> None:
        """Make every place, and the configuration."""
        super().__post_init__()
        self.site.put(self._new("harbor", ODD))
        self.secrets["Vault's token"] = self.site.token.read_text()
        self._environment()
        self._well()
        for name, failure in {
            **self._vault(),
            **self._ecr(),
            **self._helpers(),
            **self._files(),
            **self._gitlab(),
            **self._kubernetes(),
        }.items():
            self._fails(name, **failure)

    def _environment(self) -> None:
        self.kubernetes.objects.namespaces["ci"] = "Active"
        self.gitlab.add_group("platform")
        aws = self.place / ".aws" / "credentials"
        aws.parent.mkdir()
        aws.write_text(
            f"[default]\naws_access_key_id={ACCESS_KEY}\naws_secret_access_key={SECRET_KEY}\n"
        )
        self.secrets["AWS key"] = SECRET_KEY
        self.secrets["Kubernetes token"] = ADMIN
        gitlab = self.gitlab.add_token({"platform": OWNER}).text
        self.secrets["GitLab token"] = gitlab
        self.secrets["variable of rotator"] = self.site.bao.token(
            self.site.bao.policy(f'path "{self.site.path}" {{ capabilities = ["read"] }}')
        )
        self.site.environment = {
            # The SDK takes them from its file where these are empty.
            "AWS_ACCESS_KEY_ID": "",
            "AWS_SECRET_ACCESS_KEY": "",
            "TMPDIR": str(self.place / "tmp"),
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "ROTATOR_TEST_VAULT": self.secrets["variable of rotator"],
            "ROTATOR_TEST_GITLAB": gitlab,
        }
        self.site.top = {
            "log": {"level": "debug"},
            "metrics_file": str(self.place / "rotator.prom"),
        }

    def _well(self) -> None:
        """Let the first rotation have every kind of source and target."""
        site, schedule = self.site, self._schedule()
        hub = f"secret/data/{unique('hub')}/docker"
        site.bao.put(hub, {"other": self._new("neighbour in the hub")})
        writer = site.bao.policy(f'path "{hub}" {{ capabilities = ["read", "create", "update"] }}')
        kubeconfig = self._kubeconfig("well", user=self._plugin())
        site.rotation |= {
            "schedule": schedule,
            "sources": [
                site.vault,
                site.aws,
                self._helper("well", self._answer(self._new("helper", "-of-it"))),
                self._login("copy", self._new("copied", ODD)),
            ],
            "targets": [
                site.target,
                self._kubernetes_target("kubernetes_secret", "well", kubeconfig),
                self._kubernetes_target("kubernetes_configmap", "well", kubeconfig),
                {**self._variable(), "token_env": "ROTATOR_TEST_GITLAB"},
                {
                    **self._variable("PASS", content="password", registry="helper-well.example"),
                    "token_file": self._keep("gitlab", self.secrets["GitLab token"]),
                },
                {
                    **self._vault_at("hub", site.bao.token(writer), type="vault_kv"),
                    "path": hub.replace("/data/", "/"),
                },
            ],
            "prove": "lenient",
        }
        del site.rotation["targets"][-1]["registry"]

    def _vault(self) -> dict[str, dict[str, Any]]:
        site = self.site
        down = f"http://127.0.0.1:{free_port()}"
        ended = site.bao.token("default")
        site.bao.revoke_token(ended)
        mount, role, _ = site.bao.approle(["default"])
        approle = {"method": "approle", "mount": mount, "role_id": role}
        approle["secret_id_file"] = self._keep("secret-id", self._new("secret id"))
        env = {"method": "token", "token_env": "ROTATOR_TEST_VAULT"}

        def stored(name: str, **data: Any) -> dict[str, Any]:
            """Return a source of a secret with this in it."""
            path = f"secret/data/{unique('ill')}/harbor"
            if data:
                site.bao.put(path, data)
            return {**self._vault_at(name, site.bao.root), "path": path.replace("/data/", "/")}

        gone = stored("deleted", username=USER, password=self._new("deleted"))
        site.bao.api("DELETE", gone["path"].replace("secret/", "secret/data/"))
        whole = stored("no-document", document=f'{{"auths": "{self._new("half a document")}')
        del whole["registry"]
        past = "2001-01-01T00:00:00Z"
        sources = {
            "down": self._vault_at("down", self._new("never offered"), address=down),
            "echo": self._vault_at("echo", self._new("repeated", ODD[:3]), address=self._echo(400)),
            "throttled": self._vault_at("slow", self._new("throttled"), address=self._echo(429)),
            "broken": self._vault_at("broken", self._new("broken"), address=self._echo(503)),
            "wrong": self._vault_at("wrong", self._new("wrong")),
            "ended": self._vault_at("ended", ended),
            "no-file": {
                **site.vault,
                "auth": {"method": "token", "token_file": f"{self.place}/none"},
            },
            "no-policy": self._vault_at("no-policy", site.bao.token("default")),
            "nowhere": stored("nowhere"),
            "deleted": gone,
            "no-field": stored("no-field", username=USER, other=self._new("another field")),
            "odd-field": stored("odd-field", username=USER, password={"a": self._new("nested")}),
            "rejected": stored("rejected", username=USER, password=self._new("rejected")),
            "expired": {
                **stored("expired", username=USER, password=self._new("expired"), end=past),
                "expires_at_field": "end",
            },
            "no-document": {**whole, "docker_config_field": "document"},
            "approle": {**site.vault, "auth": approle},
            # This one is well: its token is in the environment, where no child may see it.
            "from-env": {**site.vault, "auth": env},
        }
        return {f"vault-{name}": {"source": source} for name, source in sources.items()}

    def _ecr(self) -> dict[str, dict[str, Any]]:
        troubles = ("garbage", "no_token", "not_base64", "no_colon", "html")
        fakes = {trouble: FakeEcr(trouble=trouble) for trouble in troubles}
        fakes["unknown"] = FakeEcr(keys={})
        for fake in fakes.values():
            self.stack.enter_context(fake)
        addresses = {name: fake.url for name, fake in fakes.items()}
        return {
            f"ecr-{name.replace('_', '-')}": {"source": {**self.site.aws, "endpoint_url": address}}
            for name, address in {**addresses, "echo": self._echo(400)}.items()
        }

    def _helpers(self) -> dict[str, dict[str, Any]]:
        secret = self._new("helper's own", ODD[:2])
        scripts = {
            "fails": f"echo 'no login for {secret}' | tee /dev/stderr; exit 1",
            "garbage": f"echo '{{\"Secret\": {secret}'",
            "colon": self._answer(secret).replace("ci", "c:i"),
            "slow": f"echo {MARKED}slow; exec sleep 60",
            "endless": f"yes {secret}",
        }
        sources = {name: self._helper(name, script) for name, script in scripts.items()}
        sources["slow"]["timeout"] = "1s"
        sources["missing"] = {**self._helper("missing", ""), "helper": "nobody-has-this"}
        return {f"helper-{name}": {"source": source} for name, source in sources.items()}

    def _files(self) -> dict[str, dict[str, Any]]:
        garbage = self._folder("garbage") / "config.json"
        garbage.write_text(f'{{"auths": {self._new("half a file")}')
        old = base64.b64encode(self._new("no colon").encode()).decode()
        one_entry = self._folder("half") / "config.json"
        one_entry.write_text(json.dumps({"auths": {"half.example": {"auth": old}}}))
        self._folder("open").chmod(0o777)
        copied = {"type": "docker_config", "path": str(garbage), "registries": ["copy.example"]}
        return {
            "file-garbage": {"target": {"type": "file", "path": str(garbage)}},
            "file-half": {"target": {"type": "file", "path": str(one_entry)}},
            "file-no-directory": {"target": {"type": "file", "path": f"{self.place}/none/c.json"}},
            "file-open": {"target": {"type": "file", "path": f"{self.published}/open/c.json"}},
            "copy-garbage": {"source": copied},
            "copy-missing": {"source": {**copied, "path": f"{self.hidden}/none.json"}},
        }

    def _gitlab(self) -> dict[str, dict[str, Any]]:
        tokens = {
            "wrong": self._new("GitLab: wrong"),
            "scope": self.gitlab.add_token({"platform": OWNER}, ("read_api",)).text,
            "role": self.gitlab.add_token({"platform": DEVELOPER}).text,
            "echo": self._new("GitLab: repeated", ODD[:2]),
            "unmaskable": self.secrets["GitLab token"],
        }
        targets = {}
        for name, token in tokens.items():
            self.secrets[f"GitLab: {name}"] = token
            targets[name] = {**self._variable(name), "token_file": self._keep(f"gl-{name}", token)}
        targets["echo"]["url"] = self._echo(400)
        # Its password has a space, which GitLab does not mask.
        targets["unmaskable"] |= {"content": "password", "registry": self.site.registry.host}
        return {f"gitlab-{name}": {"target": target} for name, target in targets.items()}

    def _kubernetes(self) -> dict[str, dict[str, Any]]:
        self.secrets["Kubernetes user"] = KUBERNETES_USER
        self.kubernetes.allow(KUBERNETES_USER, "nobody", [], "ci")
        fixed = {
            "metadata": {"name": "immutable"},
            "immutable": True,
            "type": "Opaque",
            "data": {"other": base64.b64encode(self._new("fixed").encode()).decode()},
        }
        self.kubernetes.objects.create("secrets", "ci", fixed, "me")
        kubeconfigs = {
            "wrong": self._kubeconfig("wrong", token=self._new("Kubernetes: wrong")),
            "forbidden": self._kubeconfig("forbidden", token=KUBERNETES_USER),
            "immutable": self._kubeconfig("immutable", token=ADMIN),
            "echo": self._kubeconfig(
                "echo",
                token=self._new("Kubernetes: repeated"),
                cluster={"server": self._echo(400)},
            ),
        }
        return {
            f"kubernetes-{name}": {
                "target": self._kubernetes_target("kubernetes_secret", name, kubeconfig)
            }
            for name, kubeconfig in kubeconfigs.items()
        }

    def _fails(self, name: str, **failure: Any) -> None:
        """Add a rotation with what fails, and what else it needs that is well."""
        self.site.others.append(
            {
                "name": name,
                "schedule": self._schedule(),
                "sources": [failure.get("source") or self.site.vault],
                "targets": [
                    failure.get("target")
                    or {"type": "file", "path": str(self._folder(name) / "config.json")}
                ],
            }
        )

    def _schedule(self) -> dict[str, Any]:
        return {"poll": "1s", "retry": {"initial": "1s", "max": "1s"}}
