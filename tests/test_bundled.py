"""The bundled weights draw what they are asked for."""

import re
from pathlib import Path

import pytest
import torch

from ddpm import Evaluator, Pipeline, labels
from ddpm.demo.compare.compare import READY
from ddpm.demo.models import Models
from ddpm.demo.texts import LANGUAGES, TEXTS
from ddpm.evaluator import topk_accuracy
from ddpm.networks.staged import Staged
from training.specs import draw_spec

CHECKPOINTS = Path(__file__).parents[1] / "checkpoints"
MEBIBYTE = 2**20


@pytest.fixture(scope="module")
def pipe():
    return Pipeline.from_pretrained(CHECKPOINTS / "default", device="cpu")


def test_it_is_small():
    assert (CHECKPOINTS / "default" / "model.safetensors").stat().st_size <= 45 * MEBIBYTE


def test_it_draws_what_is_asked_for(pipe):
    # 24 scenes of a spec that chose nothing; the bundled figures are higher, chance is below 0.2
    scenes = draw_spec(2, [1, 2, 3], each=8)
    images = pipe.generate(scenes, seed=0)
    evaluator = Evaluator.from_pretrained(CHECKPOINTS / "evaluator", device="cpu")
    assert topk_accuracy(evaluator(images), labels.encode(scenes)) >= 0.9


def test_the_student_draws_in_four_calls_what_is_asked_for():
    student = Pipeline.from_pretrained(CHECKPOINTS / "fast", device="cpu")
    assert (student.config.steps, student.config.guidance, student.config.name) == (4, 1.0, "fast")
    assert (CHECKPOINTS / "fast" / "model.safetensors").stat().st_size <= 25e6
    calls = []
    student.network.register_forward_hook(lambda *_: calls.append(1))
    scenes = draw_spec(2, [1, 2, 3], each=8)
    images = student.generate(scenes, seed=0)
    assert len(calls) == 4
    evaluator = Evaluator.from_pretrained(CHECKPOINTS / "evaluator", device="cpu")
    assert topk_accuracy(evaluator(images), labels.encode(scenes)) >= 0.95


def test_a_bundled_model_bears_the_name_of_its_folder(pipe):
    assert {name: config.name for name, config in Models(pipe, CHECKPOINTS).configs.items()} == {
        name: name for name in Models(pipe, CHECKPOINTS).names
    }


def bundled() -> list[str]:
    return sorted(path.parent.name for path in CHECKPOINTS.glob("*/config.json") if path.parent.name != "evaluator")


@pytest.mark.parametrize("name", bundled())
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_says_what_a_bundled_model_is(name, language):
    words = TEXTS[language][f"models.{name}"]
    network = Pipeline.from_pretrained(CHECKPOINTS / name, device="cpu").network
    [millions] = re.findall(r"(\d+\.\d) (?:million|百萬)", words)
    parts = list(network.stages) if isinstance(network, Staged) else [network]
    for part in parts:
        assert f"{sum(p.numel() for p in part.parameters()) / 1e6:.1f}" == millions


def test_the_page_speaks_of_no_other_model():
    assert {key.split(".")[1] for key in TEXTS["en"] if key.startswith("models.")} == set(bundled())


def test_the_models_of_the_ready_comparisons_are_there(pipe):
    named = {half["model"] for ready in READY.values() for half in ready.halves if "model" in half}
    assert named <= set(Models(pipe, CHECKPOINTS).names)


@pytest.mark.parametrize("key", READY)
def test_the_difference_of_a_ready_comparison_can_be_seen(pipe, key):
    ready, models = READY[key], Models(pipe, CHECKPOINTS)
    drawn = []
    for half in ready.halves:
        options = {name: value for name, value in half.items() if name != "model"}
        drawn.append(models.get(half.get("model")).generate([ready.labels], ready.seed, **options))
    assert (drawn[0] - drawn[1]).abs().mean() / 2 > 0.025  # of the way from black to white


def test_a_batch_is_its_singles(pipe):
    scenes = [["red cube"], ["blue sphere", "gray cube"]]
    batch = pipe.generate(scenes, seed=3)
    singles = torch.cat([pipe.generate([scene], seed=3 + i) for i, scene in enumerate(scenes)])
    assert (batch - singles).abs().mean() < 1e-3


def test_ticking_nothing_and_ignoring_the_labels_are_different_things(pipe):
    empty = pipe.generate([[]], seed=1)
    unconditional = pipe.generate([["red cube"]], seed=1, guidance=0.0)
    assert (empty - unconditional).abs().mean() > 0.001
