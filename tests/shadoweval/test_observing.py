"""What is shipped for operators fits what the service tells: dashboard, alerts, guide."""

import json
import shutil
import subprocess
from io import StringIO
from pathlib import Path

import promql_parser
import pytest
import yaml
from django.core.management import call_command

from shadoweval import metrics

ROOT = Path(__file__).parents[2]
DASHBOARD = json.loads((ROOT / "deploy/grafana/shadoweval.json").read_text())
ALERTS = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = [
    *[target["expr"] for panel in PANELS for target in panel["targets"]],
    *[rule["expr"] for rule in RULES],
]


def selectors(node):
    """Return the name and the labels (to match and to group by) of a query, wherever they are."""
    if node is None:
        return []
    if isinstance(node, promql_parser.VectorSelector):
        return [(node.name, {matcher.name for matcher in node.matchers.matchers})]
    inner = [getattr(node, name, None) for name in ("lhs", "rhs", "expr", "vector_selector")]
    inner += list(getattr(node, "args", None) or [])
    return [found for each in inner for found in selectors(each)]


def told():
    """Return the labels of each series that Prometheus gets."""
    series = {}
    for row in metrics.catalogue():
        labels = set(row.labels)
        if row.kind == "histogram":
            series[f"{row.name}_bucket"] = labels | {"le"}
            series[f"{row.name}_count"] = series[f"{row.name}_sum"] = labels
        else:
            series[row.name] = labels
    return series


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_query_parses_and_asks_for_what_is_told(expression):
    parsed = promql_parser.parse(expression.replace("$__rate_interval", "5m"))
    found = selectors(parsed)
    assert found
    known = told()
    for name, labels in found:
        assert name in known
        assert labels <= known[name]


def test_every_query_groups_by_labels_that_are_there():
    known = set().union(*told().values())
    for expression in EXPRESSIONS:
        parsed = promql_parser.parse(expression.replace("$__rate_interval", "5m"))
        assert grouped(parsed) <= known


def grouped(node):
    if node is None:
        return set()
    modifier = getattr(node, "modifier", None)
    labels = set(getattr(modifier, "labels", None) or [])
    inner = [getattr(node, name, None) for name in ("lhs", "rhs", "expr")]
    inner += list(getattr(node, "args", None) or [])
    return labels.union(*map(grouped, inner))


@pytest.mark.parametrize("title", ["Cheap share", "Rated share of running studies"])
def test_a_share_of_nothing_is_drawn_as_zero(title):
    """Where no series has the label that is counted, its sum is empty, not 0."""
    (panel,) = [panel for panel in PANELS if panel["title"] == title]
    (target,) = panel["targets"]
    assert " or 0 * sum" in target["expr"]
    assert target["expr"].startswith("(")


@pytest.mark.skipif(not shutil.which("promtool"), reason="no promtool here")
def test_prometheus_itself_takes_the_rules():
    command = ["promtool", "check", "rules", ROOT / "deploy/prometheus/alerts.yml"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_dashboard_is_one_that_grafana_loads():
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    (source,) = DASHBOARD["templating"]["list"]
    assert (source["name"], source["type"]) == ("datasource", "datasource")
    for panel in PANELS:
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        refs = [target["refId"] for target in panel["targets"]]
        assert len(set(refs)) == len(refs)


def test_every_rule_says_what_is_wrong_and_how_urgent_it_is():
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names)
    assert {rule["labels"]["severity"] for rule in RULES} == {"page", "ticket"}
    assert all(rule["annotations"]["summary"].endswith(".") for rule in RULES)


def test_the_guide_has_the_table_of_all_metrics():
    printed = StringIO()
    call_command("list_metrics", stdout=printed)
    guide = (ROOT / "docs/guides/observe.md").read_text().splitlines()
    assert [line for line in printed.getvalue().splitlines() if line not in guide] == []
    told = [line for line in guide if line.startswith("| `shadoweval_")]
    assert len(told) == len(metrics.catalogue())


def test_a_name_that_is_not_told_would_be_found():
    parsed = promql_parser.parse("sum by (a) (rate(x[5m])) / y")
    assert [name for name, _ in selectors(parsed)] == ["x", "y"]
    assert grouped(parsed) == {"a"}
