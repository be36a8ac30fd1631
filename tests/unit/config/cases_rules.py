"""Documents where a key or value is wrong beside others, and exactly what is said of them."""

from __future__ import annotations

from tests.unit.config.documents import (
    CERT,
    GITLAB,
    GROUP,
    HOST,
    VAULT,
    document,
    login,
    with_source,
    with_target,
)

RULES: dict[str, tuple[str, list[str]]] = {
    "a socket without a path": (
        document(
            sources=(
                (
                    "{type: vault, address: 'unix:socket', auth: {method: agent}, path: s/x,"
                    " registry: h.io}"
                ),
            )
        ),
        [("7:28: `address`: the path of a socket is wanted, such as unix:///run/vault/agent.sock")],
    ),
    "neither of two keys": (
        with_target(f"{{{GITLAB}}}"),
        ["9:5: `group`, `project` or `instance` is missing"],
    ),
    "both of two keys": (
        with_target(f"{{{GROUP}, project: p}}"),
        ["9:70: `group` and `project` exclude each other; keep one of them"],
    ),
    "neither token": (
        with_target("{type: gitlab_variable, url: https://g, project: 5}"),
        ["9:5: `token_file` or `token_env` is missing"],
    ),
    "two secret ids": (
        login("method: approle, role_id: x, secret_id_file: f, secret_id_env: E"),
        ["7:94: `secret_id_file` and `secret_id_env` exclude each other; keep one of them"],
    ),
    "registry and docker config": (
        with_source(f"{{{CERT}, docker_config_field: f}}"),
        ["7:109: `registry` and `docker_config_field` exclude each other; keep one of them"],
    ),
    "neither registry nor docker config": (
        with_source(f"{{{VAULT}}}"),
        ["7:5: `registry` or `docker_config_field` is missing"],
    ),
    "docker config and field names": (
        with_source(f"{{{VAULT}, docker_config_field: f, password_field: p}}"),
        [
            (
                "7:117: `password_field` has no effect with `docker_config_field`;"
                " the docker config has its own user names and passwords"
            )
        ],
    ),
    "two user names": (
        with_source(f"{{{CERT}, username: u, username_field: f}}"),
        ["7:122: `username` and `username_field` exclude each other; keep one of them"],
    ),
    "version of what has none": (
        with_source(f"{{{CERT}, engine: dynamic, kv_version_pin: 2}}"),
        ["7:126: `kv_version_pin` has no effect with `engine: dynamic`"],
    ),
    "parameters of a stored secret": (
        with_source(f"{{{CERT}, engine: kv2, parameters: {{a: b}}}}"),
        ["7:122: `parameters` has no effect with `engine: kv2`"],
    ),
    "external id without role": (
        with_source("{type: ecr, region: eu-west-1, external_id: x}"),
        ["7:36: `external_id` needs `role_arn`"],
    ),
    "key without certificate": (
        with_source(f"{{{CERT.replace('client_cert_file', 'client_key_file')}}}"),
        [
            "7:45: `method: cert` needs `client_cert_file` beside `auth`",
            "7:61: `client_key_file` needs `client_cert_file`",
        ],
    ),
    "user name without registry": (
        with_target(f"{{{GROUP}, content: username}}"),
        ["9:70: `content: username` needs `registry`"],
    ),
    "user name and filter": (
        with_target(f"{{{GROUP}, content: password, registry: {HOST}, registries: [{HOST}]}}"),
        ["9:145: `registries` has no effect with `content: password`"],
    ),
    "registry without user name": (
        with_target(f"{{type: file, path: /f, registry: {HOST}}}"),
        [
            (
                "9:28: `registry` has no effect without `content`; write `content: username` or"
                " `password` with it, or `registries` for a filter"
            )
        ],
    ),
    "key of a pull secret": (
        with_target(
            "{type: kubernetes_secret, namespace: n, name: o,"
            " secret_type: kubernetes.io/dockerconfigjson, key: k}"
        ),
        [
            (
                "9:99: `key` has no effect with `secret_type: kubernetes.io/dockerconfigjson`;"
                " Kubernetes wants the key .dockerconfigjson in it"
            )
        ],
    ),
    "one account twice": (
        with_source("{type: ecr, region: eu-west-1, accounts: [111111111111, 111111111111]}"),
        ["7:46: `accounts`: `111111111111` is there twice"],
    ),
    "relative target": (
        with_target("{type: file, path: config.json}"),
        ["9:24: `path`: an absolute path is wanted, one that begins with /"],
    ),
    "home directory": (
        with_target("{type: file, path: ~/.docker/config.json}"),
        ["9:24: `path`: `~` is not expanded; write the whole path, such as /home/USER/…"],
    ),
    "ECR Public elsewhere": (
        with_source("{type: ecr_public, region: eu-west-1}"),
        ["7:32: `region`: `us-east-1` is wanted, not `eu-west-1`; did you mean `us-east-1`?"],
    ),
    "two kinds of namespaces": (
        with_target("{type: kubernetes_secret, namespace: n, namespaces: [m], name: o}"),
        ["9:45: `namespace` and `namespaces` exclude each other; keep one of them"],
    ),
    "no namespace": (
        with_target("{type: kubernetes_secret, name: o}"),
        ["9:5: `namespace`, `namespaces` or `namespace_selector` is missing"],
    ),
    "no labels to select by": (
        with_target("{type: kubernetes_secret, namespace_selector: {}, name: o}"),
        ["9:51: `namespace_selector`: is empty; at least one item is wanted"],
    ),
    "accounts that pull with no pull secret": (
        with_target("{type: kubernetes_secret, namespace: n, name: o, service_accounts: [a]}"),
        [
            (
                "9:54: `service_accounts` has no effect without `secret_type`; pods pull with a"
                " Secret of `secret_type: kubernetes.io/dockerconfigjson` only"
            )
        ],
    ),
    "label without value": (
        with_target("{type: kubernetes_configmap, namespace: n, name: o, labels: {a: }}"),
        [
            (
                "9:68: `a`: a label's value of at most 63 letters, digits, - _ and ., is wanted,"
                " not nothing"
            )
        ],
    ),
    "label without name": (
        with_target("{type: kubernetes_configmap, namespace: n, name: o, labels: {' ': x}}"),
        [
            (
                "9:66: this key: a label's or annotation's name such as example.com/team is wanted,"
                " not an empty text"
            )
        ],
    ),
}
