"""Documents that are wrong between their parts, and exactly what is said of them."""

from __future__ import annotations

from tests.unit.config.documents import (
    ECR,
    FILE,
    GROUP,
    HOST,
    KV,
    document,
    login,
    rotation,
    with_source,
    with_target,
)

BAD_LOGIN = "{type: vault, address: https://v, auth: {method: cert}, path: s/x, registry: h.io}"
TOO_LONG = (
    "5:16: `longest_job`: an ECR token lives 12 h, so a job can count on it for 10 h 48 m at most"
    " in `file:/f`; write less, or `follows: true` on that target if running jobs see its updates"
    " (a mounted directory, not a single file)"
)
SAME_PLACE = (
    "this is the place that the target in line 9 writes; keep one of them, or give each its own"
    " place"
)
GIVEN_TWICE = "comes from the source in line 7 already; one source is enough for a registry"
TWO = document() + rotation(name="other")
"""Two rotations: the second begins in line 10, its source is in 13, its target in 15."""


def name_twice(kind: str, line: int, name: str) -> str:
    """Return what is said of a second one of a name."""
    already = f"the name `{name}` is that of the {kind} in line {line} already"
    return f"{already}; give each {kind} a `name` of its own"


UNSEEN: dict[str, tuple[str, list[str]]] = {
    "two rotations of one name": (
        document() + rotation(sources=("{type: ecr_public}",)),
        ["10:9: " + name_twice("rotation", 4, "r")],
    ),
    "two sources of one name": (
        document(sources=("{type: ecr_public, name: a}", ECR.replace("region", "name: a, region"))),
        ["8:23: " + name_twice("source", 7, "a")],
    ),
    "two targets of one name": (
        document(targets=("{type: file, path: /f, name: a}", "{type: file, path: /g, name: a}")),
        ["10:34: " + name_twice("target", 9, "a")],
    ),
    "two servers, one default name": (
        document(targets=(f"{{{GROUP}}}", f"{{{GROUP.replace('https://g', 'https://h')}}}")),
        ["10:5: " + name_twice("target", 9, "gitlab_variable:g/DOCKER_AUTH_CONFIG")],
    ),
    "one registry from two sources": (
        document(sources=(ECR, "{type: docker_config, path: /d, registries: [" + HOST + "]}")),
        [f"8:5: `{HOST}` {GIVEN_TWICE}"],
    ),
    "Docker Hub under two names": (
        document(
            sources=(
                "{type: docker_config, path: /d, registries: [docker.io]}",
                "{type: credential_helper, helper: x, registries: ['https://index.docker.io/v1/']}",
            )
        ),
        [f"8:5: `https://index.docker.io/v1/` {GIVEN_TWICE}"],
    ),
    "one place twice": (
        document(targets=(FILE, "{type: file, path: /a/../f, name: other}")),
        [f"10:5: {SAME_PLACE}"],
    ),
    "two targets in one namespace": (
        document(
            targets=(
                "{type: kubernetes_secret, namespace: team-a, name: o}",
                "{type: kubernetes_secret, namespaces: [ops, team-*], name: o}",
            )
        ),
        [f"10:5: {SAME_PLACE}"],
    ),
    "one Secret twice": (
        document(
            targets=(
                "{type: kubernetes_secret, namespace: n, name: o}",
                "{type: kubernetes_secret, namespace: n, name: o, key: other}",
            )
        ),
        [f"10:5: {SAME_PLACE}"],
    ),
    "one secret twice": (
        document(targets=(f"{{{KV}, field: a}}", f"{{{KV}, field: b}}")),
        [f"10:5: {SAME_PLACE}"],
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
                f" they give `{HOST}`"
            )
        ],
    ),
    "password of what nobody gives": (
        with_target(f"{{{GROUP}, content: password, registry: h.io}}"),
        [f"9:99: `registry`: no source of this rotation gives `h.io`; they give `{HOST}`"],
    ),
    "removed and given": (
        document(more=f"remove: [{HOST}]"),
        [f"5:12: `remove`: a source of this rotation gives `{HOST}`; drop one of the two"],
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
                f"15:5: rotation `r` (line 9) writes this place too, and `{HOST}`"
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
