"""``qpsearch model ...`` as a user calls it."""

import json
import re
from pathlib import Path

import pytest

from qpsearch.architecture.cost import cost
from qpsearch.architecture.named import FAMILIES, named_network
from qpsearch.architecture.paper_rules import PAPER_RULES
from qpsearch.cli.rules_table import markdown
from qpsearch.space import load_space
from qpsearch.space.schema.fields import LeafField
from qpsearch.space.schema.network import rule_paths
from qpsearch.space.schema.settings import field_at
from tests.cli.run import ROOT, qpsearch, reply


def test_networks_are_listed_with_their_costs(tmp_path: Path) -> None:
    models = {entry["name"]: entry for entry in reply(tmp_path, "model", "list")["models"]}
    assert {f"{family}20" for family in FAMILIES} <= set(models)
    assert {"resnet101", "quotient50", "pure34", "pure_norelu18", "product_unit272"} <= set(models)
    assert models["resnet20"]["parameters"] == 292_954
    assert models["pure34"]["macs"] == cost(named_network("pure34")).macs
    text = qpsearch(tmp_path, "model", "list").stdout
    assert all(name in text for name in models)


def test_a_network_is_shown_layer_by_layer(tmp_path: Path) -> None:
    shown = reply(tmp_path, "model", "show", "quotient44", "--classes", "100", "--width", "32")
    assert {"name", "parameters", "macs", "activation_bytes", "layers"} <= set(shown)
    assert shown["parameters"] == 2_729_988
    for total in ("parameters", "macs", "activation_bytes"):
        assert sum(layer[total] for layer in shown["layers"]) == shown[total]
    assert shown["layers"][0]["shape"] == [32, 32, 32]
    assert shown["layers"][-1]["shape"] == [100]
    text = qpsearch(tmp_path, "model", "show", "pure20").stdout
    assert "pure20: 272,483 parameters, 40.8M MACs" in text
    assert "ProductUnit2d 3x3" in text


def test_every_rule_of_the_papers_is_listed_and_every_setting_stands_for_one(tmp_path: Path) -> None:
    rules = reply(tmp_path, "model", "rules")["rules"]
    assert [rule["id"] for rule in rules] == [f"Q{n}" for n in range(1, 19)] + [f"P{n}" for n in range(1, 22)]
    assert all(rule["settings"] or rule["note"] for rule in rules)
    named = {setting["path"] for rule in rules for setting in rule["settings"]}
    for rule in rule_paths():
        path = ".".join(("network.rules", *rule.path))
        assert (path in named) == bool(rule.field.rule), path
    recipe = next(rule for rule in PAPER_RULES if rule.id == "Q18")
    table = load_space("quotient-table")
    assert (table.data.normalise, table.search.score.from_epoch) == ("imagenet", 93), recipe.note
    for rule in PAPER_RULES:  # the ids that stand at a setting in the schema are those of the table
        for path in rule.settings:
            field = field_at(path)
            assert isinstance(field, LeafField), path
            assert rule.id in re.split(r", ", field.rule) or path == "network.stem.width" or rule.id in ("Q18", "P18")
    assert qpsearch(tmp_path, "model", "rules", "--markdown").stdout.strip() == markdown()
    assert "Q16" in qpsearch(tmp_path, "model", "rules").stdout


def test_the_readme_has_the_table_of_rules() -> None:
    assert markdown() in (ROOT / "docs" / "reference" / "rules.md").read_text()


def test_an_audit_exits_with_1_where_something_is_not_finite(tmp_path: Path) -> None:
    small = ("--steps", "0,1", "--size", "8", "--batch", "4", "--precisions", "float32")
    fine = qpsearch(tmp_path, "model", "audit", "quotient8", *small)
    assert (fine.returncode, "quotient8: everything finite" in fine.stdout) == (0, True), fine.stderr
    failing = qpsearch(tmp_path, "model", "audit", "pure20", *small, "--json")
    assert failing.returncode == 1
    document = json.loads(failing.stdout)
    assert document["passed"] is False
    assert {"precision", "scale", "steps", "training", "forward", "backward"} <= set(document["looks"][0])
    rules = qpsearch(tmp_path, "model", "audit", "quotient8", *small[:-2], "--precisions", "bfloat16", "--settings")
    assert re.search(r"quotient\.activation: relu: (finite|NOT FINITE)", rules.stdout)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "resnt20"), "no network 'resnt20'. Did you mean 'resnet20'? "),
        (("show", "resnet21"), "no network 'resnet21'. Expected a depth 6n + 2"),
        (("audit", "resnet20", "--steps", "one"), "--steps one: expected whole numbers"),
        (("audit", "resnet20", "--scales", "-1"), "--scales -1: expected numbers"),
        (("audit", "resnet20", "--precisions", "fp32"), "--precisions: unknown precision 'fp32'."),
        (
            ("audit", "resnet18", "--size", "4"),
            "--size 4: stage 1 has stride 2 on images of 1x1 pixels. Expected larger",
        ),
    ],
)
def test_a_wrong_word_is_answered(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    done = qpsearch(tmp_path, "model", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
