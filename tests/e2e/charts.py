"""Helm, and what it makes of the chart."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.support import missing

PROJECT = Path(__file__).parents[2]

CHART = PROJECT / "deploy/helm/registry-rotator"

Body = dict[str, Any]


def values(example: str, **more: Any) -> Body:
    """Return an example's values with these keys changed."""
    loaded: Body = yaml.safe_load((CHART / f"examples/{example}.yaml").read_text())
    return {**loaded, **more}


@cache
def helm() -> Any:
    """Return Helm itself, which this package brings as a library."""
    try:
        return importlib.import_module("helm_python")
    except ImportError:
        missing("Helm", "pip install helm-python-sdk")


def render(given: Body, name: str = "rotator", namespace: str = "rotator") -> list[Body]:
    """Return what `helm install` would apply; fail where the values don't fit their schema."""
    return [
        one
        for path, text in files(given, name, namespace).items()
        if path.endswith(".yaml")
        for one in yaml.safe_load_all(text)
        if one
    ]


def files(given: Body, name: str = "rotator", namespace: str = "rotator") -> dict[str, str]:
    """Return what each template becomes."""
    with helm().Chart.load(str(CHART)) as chart:
        merged = chart.merge_values(given)
        chart.validate_schema(merged)
        rendered: dict[str, str] = chart.render(given, name=name, namespace=namespace)
    return rendered


def only(bodies: list[Body], kind: str) -> Body:
    """Return the only object of this kind."""
    (found,) = [body for body in bodies if body["kind"] == kind]
    return found
