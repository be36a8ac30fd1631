"""What may be right is not called wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.config.documents import ECR, GITLAB, HOST, KV, document, rotation

if TYPE_CHECKING:
    from tests.unit.config.conftest import Loaded


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            document(more="longest_job: 11h", targets=("{type: file, path: /f, follows: true}",)),
            id="long job on a target that follows",
        ),
        pytest.param(
            document(
                more="longest_job: 11h",
                sources=(ECR, "{type: docker_config, path: /d, registries: [h.io]}"),
                targets=("{type: file, path: /f, registries: [h.io]}",),
            ),
            id="long job without ECR's registry",
        ),
        pytest.param(
            document(
                more="longest_job: 11h",
                sources=("{type: ecr, region: eu-west-1}", "{type: docker_config, path: /d}"),
                targets=("{type: file, path: /f, registries: [h.io]}",),
            ),
            id="long job without ECR, host not known",
        ),
        pytest.param(
            document() + rotation(name="s").replace(ECR, "{type: ecr_public}"),
            id="two rotations in one place",
        ),
        pytest.param(
            document() + rotation(name="s", more="enabled: false"),
            id="a paused rotation in the same place",
        ),
        pytest.param(
            document() + rotation(name="s", targets=("{type: file, path: /f, enabled: false}",)),
            id="a paused target in the same place",
        ),
        pytest.param(
            document() + rotation(name="s", targets=("{type: file, path: /g}",)),
            id="two rotations in two places",
        ),
        pytest.param(
            document(sources=("{type: docker_config, path: /d}",))
            + rotation(name="s", sources=("{type: docker_config, path: /e}",)),
            id="two rotations whose registries nobody knows",
        ),
        pytest.param(
            document(
                sources=("{type: docker_config, path: /d}",),
                targets=("{type: file, path: /f, registries: [h.io]}",),
            ),
            id="a filter on registries that nobody knows",
        ),
        pytest.param(
            document(
                targets=(f"{{{GITLAB}, group: g}}", f"{{{GITLAB}, group: g, environment_scope: p}}")
            ),
            id="one variable in two scopes",
        ),
        pytest.param(
            document(targets=("{type: file, path: /f, registries: [" + HOST + "]}",))
            + rotation(name="s", sources=("{type: docker_config, path: /d}",)).replace(
                "/f}", "/f, registries: [h.io]}"
            ),
            id="two rotations whose filters keep them apart",
        ),
        pytest.param(
            document(
                sources=("{type: docker_config, path: /d}", ECR),
                targets=(f"{{{KV}, registries: [h.io]}}", f"{{{KV}/y, registries: [a.io]}}"),
            ),
            id="two secrets of one server",
        ),
    ],
)
def test_what_is_legitimate(text: str, loaded: Loaded) -> None:
    """What may be right is not called wrong."""
    assert loaded(text).rotations
