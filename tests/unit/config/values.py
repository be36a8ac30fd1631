"""Values of every kind, right and wrong.

Each has a name, a document with the value, whether it is right, and whether JSON Schema sees that.
"""

from __future__ import annotations

from tests.unit.config.documents import ECR, document, with_source, with_target

PLACES = {
    "longest_job": document(
        more="longest_job: VALUE", sources=("{type: docker_config, path: /d}",)
    ),
    "renew_after": document(more="schedule: {renew_after: VALUE}"),
    "enabled": document(more="enabled: VALUE"),
    "prove": document(more="prove: VALUE"),
    "remove": document(more="remove: [VALUE]"),
    "name": document().replace("name: r", "name: VALUE"),
    "version": document().replace("version: 1", "version: VALUE"),
    "listen": document(root="http: {listen: VALUE}"),
    "state_dir": document(root="state_dir: VALUE"),
    "mode": with_target("{type: file, path: /f, mode: VALUE}"),
    "owner": with_target("{type: file, path: /f, owner: VALUE}"),
    "path": with_target("{type: file, path: VALUE}"),
    "group": with_target("{type: gitlab_variable, url: https://g, group: VALUE, token_file: t}"),
    "url": with_target("{type: gitlab_variable, url: VALUE, group: g, token_file: t}"),
    "address": with_source(
        "{type: vault, address: VALUE, auth: {method: agent}, path: s/x, registry: h.io}"
    ),
    "token_file": with_target(
        "{type: gitlab_variable, url: https://g, group: g, token_file: VALUE}"
    ),
    "token_env": with_target("{type: gitlab_variable, url: https://g, group: g, token_env: VALUE}"),
    "namespace": with_target("{type: kubernetes_secret, namespace: VALUE, name: o}"),
    "keep_versions": with_target(
        "{type: vault_kv, address: https://v, auth: {method: aws}, path: s/x, keep_versions: VALUE}"
    ),
    "region": with_source("{type: ecr, region: VALUE}"),
    "accounts": with_source("{type: ecr, region: eu-west-1, accounts: [VALUE]}"),
    "role_arn": with_source("{type: ecr, region: eu-west-1, role_arn: VALUE}"),
    "helper": with_source("{type: credential_helper, helper: VALUE, registries: [h.io]}"),
    "vault path": with_source(
        "{type: vault, address: https://v, auth: {method: aws}, path: VALUE, registry: h.io}"
    ),
    "ecr": with_source(ECR),
}


def _cases(
    kind: str, place: str, right: str, wrong: str, unseen: str = ""
) -> list[tuple[str, str, bool, bool]]:
    """Return a case for each value; those of one string are separated by bars."""
    return [
        (f"{kind} {value}", PLACES[place].replace("VALUE", value), is_right, is_shown)
        for values, is_right, is_shown in (
            (right, True, True),
            (wrong, False, True),
            (unseen, False, False),
        )
        for value in filter(None, values.split(" | "))
    ]


VALUES = [
    *_cases(
        "duration",
        "longest_job",
        "90s | 30m | '10h' | 400d",
        "0s | 5 | 1h30m | 1 h | -5m | 1.5h | 5min | [5m] | 9999999999s | '' | {}",
    ),
    *_cases("percent", "renew_after", "50% | 12.5% | '5%' | 0%", "50 | 0.5 | 100% | -5% | 5 %"),
    *_cases("flag", "enabled", "true | 'true' | yes | No | OFF", "1 | enabled | tRue | null"),
    *_cases("prove", "prove", "off | 'off' | strict", "false | OFF | no"),
    *_cases(
        "registry",
        "remove",
        "docker.io | registry.lab:5000 | h/path/x | HTTPS://H.io/v2/ | '[::1]:5000'",
        "'*.io' | user@h.io | 'h io' | u:p@h | https:// | h.io:port | h:0 | h:65536 | 'h:5000:1'",
    ),
    *_cases(
        "name",
        "name",
        "dind | a-1 | '5'",
        "Dind | a_b | a b | xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    ),
    *_cases("version", "version", "1 | '1'", "2 | '1.0' | v1"),
    *_cases(
        "listen",
        "listen",
        "127.0.0.1:9465 | '[::1]:9465' | localhost:80",
        "9465 | ':9465' | h:0 | h:-1 | h:65536",
        "'[:::1:]:80'",
    ),
    *_cases("directory", "state_dir", "/x | /x/", "x | ~/x | $HOME/x"),
    *_cases(
        "mode",
        "mode",
        "0600 | '0600' | 640 | 0o644",
        "'0666' | '888' | rw | 07777 | 9999",
        "384 | 0666",
    ),
    *_cases(
        "owner",
        "owner",
        "root | 1000 | 0",
        "'' | [] | {} | -1 | 1.5 | 4294967295 | 99999999999999999999",
        '"a\\tb"',
    ),
    *_cases(
        "path", "path", "/opt/.docker/config.json", "x | ./x | ~ | ~root/x | $HOME/x | /x/ | /"
    ),
    *_cases("group", "group", "5 | team/apps | a.b/c-d", "/team | team/ | https://g/x | a b"),
    *_cases(
        "url",
        "url",
        "https://g | http://g:8080/gitlab/ | 'https://[::1]'",
        "g | ftp://g | https://u:p@g | 'https://g?x' | https:// | http://g:0 | http://g:65536",
    ),
    *_cases("address", "address", "https://v | unix:///run/agent.sock", "unix:x | unix:///x/"),
    *_cases(
        "file",
        "token_file",
        "token | /etc/token | ../token | a b",
        "~/token | $D/token | tokens/",
        "glpat-12345678901234567890 | 12345678-1234-1234-1234-123456789012",
    ),
    *_cases(
        "variable", "token_env", "TOKEN | _a1", "$TOKEN | 1A | A-B | A=b", "ghp_abc | dckr_pat_x"
    ),
    *_cases("namespace", "namespace", "ci | a-1", "A | a.b | -a | a_b"),
    *_cases("whole", "keep_versions", "3 | '3'", "0 | -1 | 1.5 | x | 9999999999", "007"),
    *_cases(
        "region",
        "region",
        "eu-west-1 | us-gov-west-1 | cn-north-1 | us-iso-east-1 | eusc-de-east-1",
        "eu-west | Ireland | eu_west_1",
    ),
    *_cases(
        "account",
        "accounts",
        "123456789012 | '012345678901' | 012345678901",
        "'12345' | abcdefghijkl | '1234-5678-9012'",
        "12345",
    ),
    *_cases(
        "role",
        "role_arn",
        "arn:aws:iam::123456789012:role/x | arn:aws-cn:iam::123456789012:role/p/x",
        "x | arn:aws:iam::1:role/x | arn:aws:iam::123456789012:user/x",
    ),
    *_cases("helper", "helper", "gcr | ecr-login | pass", "/usr/bin/x | -x | a b | ''"),
    *_cases(
        "secret path",
        "vault path",
        "secret/a | a | a/.b/..c",
        "/secret/a | secret/a/ | a b | 'a?x' | a//b | a/../b | a/. | ..",
    ),
]
