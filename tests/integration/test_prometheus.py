"""Alerts and dashboard against the metrics that are really served, with Prometheus' own tools."""

from __future__ import annotations

import json
import re
import subprocess
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import structlog
import yaml

from rotator.cli import cli
from rotator.observe.http import Answer, HttpServer, Route
from rotator.observe.metrics import CONTENT_TYPE
from tests.metrics_served import EXPORTED
from tests.support import free_port, need, until
from tests.unit.observe.heard import Watched, report

if TYPE_CHECKING:
    from collections.abc import Iterator

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
ALERTS = DEPLOY / "prometheus" / "alerts.yaml"
TROUBLESHOOTING = DEPLOY / "troubleshooting.md"
ALERTS_TEST = DEPLOY / "prometheus" / "alerts_test.yaml"

RULES: list[dict[str, Any]] = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())
PANELS: list[dict[str, Any]] = [p for p in DASHBOARD["panels"] if p["type"] != "row"]
QUERIES = [(panel["title"], query) for panel in PANELS for query in panel["targets"]]

# What Prometheus and its client add by themselves.
KNOWN = EXPORTED | {"up": {"job"}, "process_resident_memory_bytes": set()}
EVERYWHERE = {"instance", "job"}
TOKENS = {"and", "or", "unless", "bool", "by", "on", "offset", "sum", "min", "max", "count"}
TOKENS |= {"rate", "increase", "time", "vector", "absent", "histogram_quantile"}


def check(expression: str) -> None:
    """Fail where an expression names a metric or a label that is not served."""
    labels = set(EVERYWHERE)
    bare = re.sub(r'"[^"]*"', '""', expression)
    selectors = re.findall(r"([a-z_]+)\{([^}]*)\}", bare)
    for metric, matchers in selectors:
        used = set(re.findall(r"([a-z_]+)\s*[=!]", matchers))
        assert metric in KNOWN, f"{metric} is not served"
        assert used <= KNOWN[metric] | EVERYWHERE, f"{metric} has no label {used - KNOWN[metric]}"
    grouped = re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", bare)
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|\b(?:by|on)\s*\([^)]*\)|\d+[dhms]?\b", " ", bare)
    metrics = set(re.findall(r"[a-z_]+", bare)) - TOKENS
    for metric in metrics:
        assert metric in KNOWN, f"{metric} is not served"
        labels |= KNOWN[metric]
    for group in grouped:
        assert set(re.findall(r"\w+", group)) <= labels, f"nothing has the labels of ({group})"


@pytest.mark.parametrize("broken", ["rotator_nothing", 'rotator_job_safe{registry="x"}'])
def test_the_check_sees(broken: str) -> None:
    """A metric or a label that is not served is found."""
    with pytest.raises(AssertionError):
        check(f"sum by (rotation) ({broken}) > 1")


def test_alerts_fire_and_stay_silent() -> None:
    """Prometheus' own unit tests of the alerts."""
    promtool = need("promtool", "prometheus")
    for words in (["check", "rules", ALERTS], ["test", "rules", ALERTS_TEST]):
        done = subprocess.run([promtool, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_test_that_fires_and_one_that_does_not() -> None:
    """Each is named in at least two expectations, one of them without a result."""
    tests = yaml.safe_load(ALERTS_TEST.read_text())["tests"]
    fires, silent = set(), set()
    for one in tests:
        for case in one.get("alert_rule_test", []):
            (fires if case.get("exp_alerts") else silent).add(case["alertname"])
        for case in one.get("promql_expr_test", []):
            name = re.search(r'alertname="(\w+)"', case["expr"])
            assert name is not None
            (fires if case.get("exp_samples") else silent).add(name[1])
    names = {rule["alert"] for rule in RULES}
    assert fires == names
    assert silent == names


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_alert(rule: dict[str, Any]) -> None:
    """It uses what is served, and its runbook names a command that there is."""
    check(rule["expr"])
    assert rule["labels"]["severity"] in {"critical", "warning"}
    notes = rule["annotations"]
    assert {"summary", "description", "runbook", "runbook_url"} <= notes.keys()
    page, _, anchor = notes["runbook_url"].partition("#")
    headings = re.findall(r"^### (\w+)$", TROUBLESHOOTING.read_text(), re.MULTILINE)
    assert page.endswith("/deploy/troubleshooting.md")
    assert anchor in {heading.lower() for heading in headings}
    assert "`" in notes["runbook"]
    commands = re.findall(r"`rotator ([a-z-]+)((?: --[a-z-]+)*)", notes["runbook"])
    for command, options in commands:
        known = cli.commands[command]
        named = {name for option in known.params for name in option.opts}
        assert set(options.split()) <= named


@pytest.mark.parametrize(("title", "query"), QUERIES)
def test_dashboard_query(title: str, query: dict[str, Any]) -> None:
    """It uses what is served, in the query and in the legend."""
    expression = query["expr"].replace("$__rate_interval", "5m")
    check(expression)
    legend = set(re.findall(r"\{\{(\w+)\}\}", query["legendFormat"]))
    metrics = set(re.findall(r"(?:rotator|process)_[a-z_]+", expression))
    assert legend <= set().union(EVERYWHERE, *(KNOWN[metric] for metric in metrics))


def test_every_metric_is_shown() -> None:
    """What the dashboard leaves out would be there for nobody (the rest are parts of others)."""
    text = " ".join(query["expr"] for _, query in QUERIES)
    hidden = {name for name in EXPORTED if name not in text}
    assert {name for name in hidden if not name.endswith(("_sum", "_count"))} == {
        "rotator_config_last_reload_success_timestamp_seconds"
    }


def test_panels_are_laid_out() -> None:
    """Each has an id of its own, a title, a word on what it shows, and a place of its own."""
    every = DASHBOARD["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    assert all(panel["title"] and panel.get("description") for panel in PANELS)
    taken: set[tuple[int, int]] = set()
    for panel in every:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert at["x"] + at["w"] <= 24
        assert not cells & taken
        taken |= cells


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Prometheus that scrapes our metrics, with our alerts loaded."""
    program = need("prometheus", "prometheus")
    place = tmp_path_factory.mktemp("prometheus")
    watched = Watched()
    watched.hear(report())
    ours, theirs = free_port(), free_port()
    route = Route(lambda _: Answer(watched.metrics.exposed(), CONTENT_TYPE))
    server = HttpServer("127.0.0.1", ours, {"/metrics": route}, structlog.get_logger())
    server.start()
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(ALERTS)],
        "scrape_configs": [
            {"job_name": "rotator", "static_configs": [{"targets": [f"127.0.0.1:{ours}"]}]}
        ],
    }
    (place / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={place}/prometheus.yml",
                f"--storage.tsdb.path={place}/data",
                f"--web.listen-address=127.0.0.1:{theirs}",
            ],
            stderr=log,
            stdout=log,
        )
    url = f"http://127.0.0.1:{theirs}"
    try:
        until(lambda: ask(url, "rate(rotator_cycles_total[30s])"), what="two scrapes")
        yield url
    finally:
        process.terminate()
        process.wait(20)
        server.stop()


def ask(url: str, expression: str) -> list[Any]:
    """Return the result of a query; nothing while the server is not up."""
    try:
        with urlopen(f"{url}/api/v1/query?{urlencode({'query': expression})}", timeout=10) as got:  # noqa: S310  a loopback address
            answer = json.load(got)
    except HTTPError as error:
        if error.code == HTTPStatus.BAD_REQUEST:
            pytest.fail(f"Prometheus refuses {expression}")
        return []
    except OSError:
        return []
    result: list[Any] = answer["data"]["result"]
    return result


@pytest.mark.parametrize(("title", "query"), QUERIES)
def test_a_real_prometheus_answers(prometheus: str, title: str, query: dict[str, Any]) -> None:
    """Each query is understood, and all that are not about trouble have something to show."""
    expression = query["expr"].replace("$__rate_interval", "30s")
    expression = expression.replace("$instance", ".*").replace("$rotation", ".*")
    found = ask(prometheus, expression)
    assert found or expression.endswith("> 0")


def test_a_real_prometheus_scrapes_without_a_warning(prometheus: str) -> None:
    """Every sample that is served arrives under its name with its labels."""
    for name, labels in EXPORTED.items():
        found = ask(prometheus, name)
        assert found, name
        assert set(found[0]["metric"]) == labels | {"__name__", "instance", "job"}
    with urlopen(f"{prometheus}/api/v1/rules", timeout=10) as got:  # noqa: S310  a loopback address
        rules = json.load(got)["data"]["groups"][0]["rules"]
    assert {rule["name"] for rule in rules} == {rule["alert"] for rule in RULES}
    assert {rule["health"] for rule in rules} <= {"ok", "unknown"}
