"""Mutations of how a docker config is read and merged."""

from __future__ import annotations

from tests.simulation.mutations.mutation import in_file

MUTATIONS = (
    *in_file(
        "core/docker_entry.py",
        (
            "docker config: a name of Docker Hub is a registry of its own",
            "return DOCKER_HUB if bare in _HUB_NAMES else bare",
            "return bare",
        ),
    ),
    *in_file(
        "core/docker_merge.py",
        (
            "docker config: keys beside auths are lost",
            "return MergeResult(DockerConfig({**usable, **entries}, rest), left_out, helpers)",
            "return MergeResult(DockerConfig({**usable, **entries}, {}), left_out, helpers)",
        ),
        (
            "docker config: an entry in capitals is not updated",
            "others[key] = entries.get(registry, config.auths.get(registry, entry))",
            "others[key] = entry",
        ),
        (
            "docker config: an entry in capitals is renamed",
            "elif key != registry and key.lower() == registry:",
            "elif False:",
        ),
        (
            "docker config: another spelling stays beside another rotator's entry",
            "elif key == registry and registry in theirs:",
            "elif registry in theirs:",
        ),
        (
            "docker config: what is to be removed stays",
            "if registry in remove:",
            "if False:",
        ),
        (
            "docker config: a credential helper of ours stays",
            "helpers if registry_key(key) in managed)",
            "helpers if False)",
        ),
        (
            "docker config: every credential helper is taken out",
            "helpers if registry_key(key) in managed)",
            "helpers)",
        ),
        (
            "docker config: what no client can decode stays",
            "usable = {key: entry for key, entry in others.items() if is_decodable(entry)}",
            "usable = others",
        ),
        (
            "docker config: a field of another type stays",
            "rest = {name: value for name, value in config.rest.items() if name not in mistyped}",
            "rest = dict(config.rest)",
        ),
    ),
    *in_file(
        "core/docker_config.py",
        (
            "docker config: of two members `auths` the last counts alone",
            "auths |= _plain(value)",
            "auths = _plain(value)",
        ),
        (
            "docker config: a member `auths` in another case is another field",
            'if folded(name) != "auths":',
            'if name != "auths":',
        ),
        (
            "docker config: two spellings with one login are rivals",
            "any(pair != same.get(registry) for pair in same.values())",
            "len(same) > 1",
        ),
    ),
    *in_file(
        "core/docker_salvage.py",
        (
            "docker config: what follows a byte order mark is thrown away",
            'text = text.removeprefix("\\ufeff")',
            "pass",
        ),
        (
            "docker config: what was cut off is thrown away whole",
            "for at in reversed(cuts[-_MOST_CUTS:]):",
            "for at in ():",
        ),
        (
            "docker config: text after a document is thrown away",
            "return decode(text[:end])",
            "return None",
        ),
    ),
)
