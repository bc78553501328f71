"""Model cards: what the Hub reads at their top is what was measured."""

from pathlib import Path

import pytest
import yaml

from ddpm import hub
from ddpm.checkpoint import read_config

CHECKPOINTS = Path(__file__).resolve().parent.parent / "checkpoints"


def top(folder: Path) -> dict:
    return yaml.safe_load((folder / hub.CARD).read_text(encoding="utf-8").split("---\n")[1])


@pytest.mark.parametrize("name", ["default", "fast"])
def test_a_models_card_has_its_measured_figures(name: str) -> None:
    folder = CHECKPOINTS / name
    figures = hub.read_figures(folder)
    assert top(folder) == hub.metadata(read_config(folder), figures)
    found = {
        result["dataset"]["config"]: {metric["name"]: metric["value"] for metric in result["metrics"]}
        for result in top(folder)["model-index"][0]["results"]
    }
    for spec in figures["specs"]:
        measured = {"Exact match": spec["exact_match"], "Top-k accuracy": spec["topk_accuracy"]}
        assert found[Path(spec["spec"]).stem] == measured


def test_a_card_without_figures_claims_none() -> None:
    assert "model-index" not in hub.metadata(read_config(CHECKPOINTS / "default"))
