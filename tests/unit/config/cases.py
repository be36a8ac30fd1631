"""Wrong documents and exactly what is said of them.

`SEEN`: an editor with the JSON Schema sees that they are wrong. `UNSEEN`: it can't, as that is a
matter between mappings, or of what no pattern tells.
"""

from __future__ import annotations

from tests.unit.config.documents import (
    ECR,
    FILE,
    GITLAB,
    VAULT,
    document,
    rotation,
    with_source,
    with_target,
)

NO_SECRET = "no secret is written in the configuration; write it to a file and name that file with"
TYPES = "`ecr`, `ecr_public`, `vault`, `credential_helper` or `docker_config`"
METHODS = "`token`, `approle`, `kubernetes`, `jwt`, `cert`, `userpass` or `aws`"
HOST1 = "111111111111.dkr.ecr.eu-west-1.amazonaws.com"
CERT = VAULT + ", registry: h.io"
KV = "type: vault_kv, address: https://v, auth: {method: aws}, path: s/x"
GROUP = GITLAB + ", group: g"


def login(auth: str) -> str:
    """Return a document whose Vault login, in line 7 and column 46, is this."""
    return with_source(
        f"{{type: vault, address: https://v, auth: {{{auth}}}, path: s/x, registry: h.io}}"
    )


SEEN: dict[str, tuple[str, list[str]]] = {
    "empty": (
        "",
        ["1:1: a mapping (`key: value`) is wanted; begin with `version: 1` and `rotations:`"],
    ),
    "list": (
        "- a",
        ["1:1: a mapping (`key: value`) is wanted; begin with `version: 1` and `rotations:`"],
    ),
    "nothing in it": (
        "{}",
        [
            "1:1: `rotations` is missing in the configuration",
            "1:1: `version` is missing in the configuration",
        ],
    ),
    "other version": (document().replace("1", "2", 1), ["1:10: `version`: `1` is wanted, not `2`"]),
    "misspelt key": (
        document(root="stat_dir: /x"),
        ["2:1: `stat_dir` is not known in the configuration; did you mean `state_dir`?"],
    ),
    "key of another level": (
        document(root="poll: 5m"),
        ["2:1: `poll` is not known in the configuration; it belongs in `schedule`"],
    ),
    "key of a rotation": (
        document(root="longest_job: 1h"),
        ["2:1: `longest_job` is not known in the configuration; it belongs in a rotation"],
    ),
    "key of the root": (
        document(more="metrics_file: /m"),
        ["5:3: `metrics_file` is not known in a rotation; it belongs at the top of the file"],
    ),
    "unknown key": (
        document(root="http: {listen: localhost:1, colour: red}"),
        ["2:29: `colour` is not known in `http`; known are `listen` and `status_page`"],
    ),
    "unknown word": (
        document(root="log: {level: INFO, format: 5}"),
        [
            (
                "2:14: `level`: `debug`, `info`, `warning` or `error` is wanted,"
                " not `INFO`; did you mean `info`?"
            ),
            "2:28: `format`: `auto`, `console` or `json` is wanted, not `5`",
        ],
    ),
    "a long word is not repeated": (
        document(root=f"log: {{level: {'s3cr3t-' * 9}}}"),
        ["2:14: `level`: `debug`, `info`, `warning` or `error` is wanted"],
    ),
    "a list where a word belongs": (
        document(more="prove: [strict]"),
        ["5:10: `prove`: `lenient`, `strict` or `off` is wanted"],
    ),
    "misspelt word": (
        document(more="prove: lenientt"),
        [
            (
                "5:10: `prove`: `lenient`, `strict` or `off` is wanted, not"
                " `lenientt`; did you mean `lenient`?"
            )
        ],
    ),
    "no mapping": (document(root="log: json"), ["2:6: `log`: a mapping (`key: value`) is wanted"]),
    "no list": (
        document(more="remove: docker.io"),
        ["5:11: `remove`: a list is wanted (`- item`, or `[item, item]`)"],
    ),
    "empty list": (
        "version: 1\nrotations: []",
        ["2:12: `rotations`: is empty; at least one item is wanted"],
    ),
    "null": (
        document(more="longest_job:"),
        ["5:15: `longest_job`: a duration such as 90s, 30m, 12h or 7d is wanted, not nothing"],
    ),
    "item of a list": (
        document(more="remove: [docker.io, '*']"),
        [
            (
                "5:23: `remove`, item 2: a registry is wanted: host, host:port or host/path,"
                " without user, `*` or white space"
            )
        ],
    ),
    "rotation without anything": (
        "version: 1\nrotations:\n- {}",
        [
            "3:3: `name` is missing in a rotation",
            "3:3: `sources` is missing in a rotation",
            "3:3: `targets` is missing in a rotation",
        ],
    ),
    "rotation that is a word": (
        "version: 1\nrotations: [x]",
        ["2:13: `rotations`, item 1: a mapping (`key: value`) is wanted"],
    ),
    "misspelt type": (
        with_source("{type: ecrr}"),
        [f"7:12: `type`: {TYPES} is wanted, not `ecrr`; did you mean `ecr`?"],
    ),
    "no type": (
        with_source("{region: x}"),
        ["7:5: `type` is missing, which says what kind this is"],
    ),
    "type null": (with_source("{type: }"), [f"7:11: `type`: {TYPES} is wanted"]),
    "source that is a word": (
        with_source("ecr"),
        ["7:5: `sources`, item 1: a mapping (`key: value`) is wanted"],
    ),
    "sources that are a mapping": (
        document().replace("  - " + ECR, "    " + ECR),
        ["7:5: `sources`: a list is wanted (`- item`, or `[item, item]`)"],
    ),
    "misspelt key is not missing": (
        with_source("{type: ecr, regoin: eu-west-1}"),
        ["7:17: `regoin` is not known in `type: ecr`; did you mean `region`?"],
    ),
    "missing key": (
        with_source("{type: credential_helper, helper: gcr}"),
        ["7:5: `registries` is missing in `type: credential_helper`"],
    ),
    "misspelt method": (
        login("method: aprole"),
        [f"7:54: `method`: {METHODS} is wanted, not `aprole`; did you mean `approle`?"],
    ),
    "no method": (
        login("role: x"),
        ["7:45: `method` is missing, which says what kind this is"],
    ),
    "login that is a word": (
        with_source("{type: vault, address: https://v, auth: token, path: s/x, registry: h.io}"),
        ["7:45: `auth`: a mapping (`key: value`) is wanted"],
    ),
    "key missing in a login": (
        login("method: jwt"),
        ["7:45: `jwt_file` is missing in `method: jwt`"],
    ),
    "inline token": (
        login("method: token, token: s3cr3t-1"),
        [f"7:61: `token`: {NO_SECRET} `token_file: PATH`"],
    ),
    "inline secret id": (
        login("method: approle, role_id: x, secret_id: s3cr3t-1"),
        [f"7:75: `secret_id`: {NO_SECRET} `secret_id_file: PATH`"],
    ),
    "inline password": (
        login("method: userpass, username: u, password: s3cr3t-1"),
        [f"7:77: `password`: {NO_SECRET} `password_file: PATH`"],
    ),
    "inline token in the wrong place": (
        with_source(f"{{{CERT}, token: s3cr3t-1}}"),
        [f"7:109: `token`: {NO_SECRET} a key that ends in `_file` in `auth`"],
    ),
    "inline access key": (
        with_source("{type: ecr, region: eu-west-1, aws_secret_access_key: s3cr3t-1}"),
        [f"7:36: `aws_secret_access_key`: {NO_SECRET} a key that ends in `_file`"],
    ),
    "inline token of GitLab": (
        with_target("{type: gitlab_variable, url: https://g, group: g, token: s3cr3t-1}"),
        [f"9:55: `token`: {NO_SECRET} `token_file: PATH`"],
    ),
    "key without _file": (
        with_source("{type: ecr, region: eu-west-1, ca: /c}"),
        ["7:36: `ca` is not known in `type: ecr`; did you mean `ca_file`?"],
    ),
    "neither of two keys": (
        with_target(f"{{{GITLAB}}}"),
        ["9:5: `group` or `project` is missing"],
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
        with_target(f"{{{GROUP}, content: password, registry: {HOST1}, registries: [{HOST1}]}}"),
        ["9:145: `registries` has no effect with `content: password`"],
    ),
    "registry without user name": (
        with_target(f"{{type: file, path: /f, registry: {HOST1}}}"),
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
    "label without value": (
        with_target("{type: kubernetes_configmap, namespace: n, name: o, labels: {a: }}"),
        ["9:68: `a`: a text is wanted, not nothing"],
    ),
    "label without name": (
        with_target("{type: kubernetes_configmap, namespace: n, name: o, labels: {' ': x}}"),
        ["9:66: this key: a text is wanted, not an empty text"],
    ),
}

BAD_LOGIN = "{type: vault, address: https://v, auth: {method: cert}, path: s/x, registry: h.io}"
TOO_LONG = (
    "5:16: `longest_job`: an ECR token lives 12 h, so a job can count on it for 10 h 48 m at most"
    " in `file:/f`; write less, or `follows: true` on that target if running jobs see its updates"
    " (a mounted directory, not a single file)"
)
TWO = document() + rotation().replace("name: r", "name: other")
"""Two rotations: the second begins in line 10, its source is in 13, its target in 15."""

UNSEEN: dict[str, tuple[str, list[str]]] = {
    "two rotations of one name": (
        document() + rotation(sources=("{type: ecr_public}",)),
        [
            (
                "10:9: the name `r` is that of the rotation in line 4 already; give each rotation a"
                " `name` of its own"
            )
        ],
    ),
    "two sources of one name": (
        document(sources=("{type: ecr_public, name: a}", ECR.replace("region", "name: a, region"))),
        [
            (
                "8:23: the name `a` is that of the source in line 7 already;"
                " give each source a `name`"
                " of its own"
            )
        ],
    ),
    "two targets of one name": (
        document(targets=("{type: file, path: /f, name: a}", "{type: file, path: /g, name: a}")),
        [
            (
                "10:34: the name `a` is that of the target in line 9 already;"
                " give each target a `name`"
                " of its own"
            )
        ],
    ),
    "two servers, one default name": (
        document(targets=(f"{{{GROUP}}}", f"{{{GROUP.replace('https://g', 'https://h')}}}")),
        [
            (
                "10:5: the name `gitlab_variable:g/DOCKER_AUTH_CONFIG` is that"
                " of the target in line 9"
                " already; give each target a `name` of its own"
            )
        ],
    ),
    "one registry from two sources": (
        document(sources=(ECR, "{type: docker_config, path: /d, registries: [" + HOST1 + "]}")),
        [
            (
                f"8:5: `{HOST1}` comes from the source in line 7 already; one"
                f" source is enough for a registry"
            )
        ],
    ),
    "Docker Hub under two names": (
        document(
            sources=(
                "{type: docker_config, path: /d, registries: [docker.io]}",
                "{type: credential_helper, helper: x, registries: ['https://index.docker.io/v1/']}",
            )
        ),
        [
            (
                "8:5: `https://index.docker.io/v1/` comes from the source in"
                " line 7 already; one source"
                " is enough for a registry"
            )
        ],
    ),
    "one place twice": (
        document(targets=(FILE, "{type: file, path: /a/../f, name: other}")),
        [
            (
                "10:5: this is the place that the target in line 9 writes;"
                " keep one of them, or give"
                " each its own place"
            )
        ],
    ),
    "one Secret twice": (
        document(
            targets=(
                "{type: kubernetes_secret, namespace: n, name: o}",
                "{type: kubernetes_secret, namespace: n, name: o, key: other}",
            )
        ),
        [
            (
                "10:5: this is the place that the target in line 9 writes;"
                " keep one of them, or give"
                " each its own place"
            )
        ],
    ),
    "one secret twice": (
        document(targets=(f"{{{KV}, field: a}}", f"{{{KV}, field: b}}")),
        [
            (
                "10:5: this is the place that the target in line 9 writes; keep one of them, or"
                " give each its own place"
            )
        ],
    ),
    "job longer than an ECR token": (document(more="longest_job: 11h"), [TOO_LONG]),
    "job longer, host not known": (
        document(more="longest_job: 11h", sources=("{type: ecr, region: eu-west-1}",)),
        [TOO_LONG],
    ),
    "filter that nothing passes": (
        with_target("{type: file, path: /f, registries: [docker.io]}"),
        [
            (
                "9:41: `registries`: no source of this rotation gives"
                " `https://index.docker.io/v1/`;"
                f" they give `{HOST1}`"
            )
        ],
    ),
    "password of what nobody gives": (
        with_target(f"{{{GROUP}, content: password, registry: h.io}}"),
        [f"9:99: `registry`: no source of this rotation gives `h.io`; they give `{HOST1}`"],
    ),
    "removed and given": (
        document(more=f"remove: [{HOST1}]"),
        [f"5:12: `remove`: a source of this rotation gives `{HOST1}`; drop one of the two"],
    ),
    "file that reads itself": (
        document(sources=("{type: docker_config, path: /f}",)),
        ["7:33: `path`: a target of this rotation writes this file; read another one"],
    ),
    "retry backwards": (
        document(more="schedule: {retry: {initial: 1h}}"),
        ["5:21: `initial` is longer than `max`"],
    ),
    "login without certificate": (
        with_source(BAD_LOGIN),
        ["7:45: `method: cert` needs `client_cert_file` beside `auth`"],
    ),
    "rotations that share a registry": (
        TWO,
        [
            (
                f"15:5: rotation `r` (line 9) writes this place too, and `{HOST1}`"
                f" there; keep one of them"
            )
        ],
    ),
    "rotations of which one takes all": (
        TWO.replace("/f}", "/f, merge: replace}", 1).replace(ECR, "{type: ecr_public}", 1),
        [
            (
                "15:5: rotation `r` (line 9) writes this place too, and each"
                " would undo what the other"
                " wrote"
            )
        ],
    ),
    "port too high": (
        document(root="http: {listen: 127.0.0.1:99999}"),
        [
            (
                "2:16: `listen`: an address and a port such as 127.0.0.1:9465 (0.0.0.0:9465: every"
                " address) is wanted"
            )
        ],
    ),
    "token where a file belongs": (
        login("method: token, token_file: hvs.s3cr3t-1"),
        [
            (
                "7:73: `token_file`: this looks like the secret itself; write it"
                " to a file and name that file"
            )
        ],
    ),
    "token where a variable belongs": (
        login("method: token, token_env: ghp_s3cr3t"),
        [
            (
                "7:72: `token_env`: the name of an environment variable is wanted,"
                " never the secret itself"
            )
        ],
    ),
}
