"""Documents with wrong keys and words, and exactly what is said of them."""

from __future__ import annotations

from tests.unit.config.documents import CERT, ECR, document, login, with_source, with_target

NO_SECRET = "no secret is written in the configuration; write it to a file and name that file with"
TYPES = "`ecr`, `ecr_public`, `vault`, `credential_helper` or `docker_config`"
METHODS = "`token`, `approle`, `kubernetes`, `jwt`, `cert`, `userpass`, `aws` or `agent`"

OBJECT = "namespace: ci, name: a, follows: perhaps"

SHAPE: dict[str, tuple[str, list[str]]] = {
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
    "port too high": (
        document(root="http: {listen: 127.0.0.1:99999}"),
        [
            (
                "2:16: `listen`: an address and a port such as 127.0.0.1:9465 (0.0.0.0:9465: every"
                " address) is wanted"
            )
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
                "5:23: `remove`, item 2: a registry is wanted: host, host:port (to 65535) or"
                " host/path, without user, `*` or white space"
            )
        ],
    ),
    "rotations without anything": (
        "version: 1\nrotations:\n- {}\n- {}",
        [
            f"{line}:3: `{key}` is missing in a rotation"
            for line in (3, 4)
            for key in ("name", "sources", "targets")
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
    "no method": (login("role: x"), ["7:45: `method` is missing, which says what kind this is"]),
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
    "two objects of one name, both wrong elsewhere": (
        document(targets=(f"{{type: kubernetes_secret, {OBJECT}}}",) * 2),
        [f"{line}:64: `follows`: true or false is wanted" for line in (9, 10)],
    ),
    "a helper that may run for too long": (
        document(sources=("{type: credential_helper, helper: gcr, registries: [a], timeout: 1m}",)),
        ["7:70: `timeout`: 1s to 50s is wanted"],
    ),
}
