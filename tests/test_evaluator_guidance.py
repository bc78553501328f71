"""Steering a run by the evaluator."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ddpm import Evaluator, Pipeline
from ddpm.cli import main
from ddpm.denoiser import Denoiser
from ddpm.evaluator import EvaluatorConfig, build_network
from ddpm.evaluator_guidance import EvaluatorGuidance
from ddpm.labels import encode

SCENES = [["red cube"], ["blue sphere", "gray cube"]]


@pytest.fixture(scope="module")
def evaluator() -> Evaluator:
    torch.manual_seed(1)
    return Evaluator(build_network("gentle"), EvaluatorConfig())


@pytest.fixture
def exact(pipeline: Pipeline) -> Pipeline:
    """The tiny pipeline in float32."""
    return Pipeline(pipeline.network, pipeline.config, "cpu", torch.float32)


def log_likelihood(evaluator: Evaluator, x: torch.Tensor, labels: torch.Tensor) -> float:
    p = evaluator(x).double()
    return float((labels * p.log() + (1 - labels) * (1 - p).log()).sum())


def test_logits_are_those_of_the_probabilities(evaluator: Evaluator) -> None:
    x = torch.rand(2, 3, 64, 64) * 2 - 1
    torch.testing.assert_close(evaluator.logits(x).sigmoid(), evaluator(x))


def test_the_shift_is_the_gradient_of_the_log_likelihood(evaluator: Evaluator) -> None:
    torch.manual_seed(0)
    x, labels = torch.rand(2, 3, 64, 64) - 0.5, encode(SCENES)
    shift = EvaluatorGuidance(evaluator, 3.0).shift(x, labels)
    direction = shift / shift.norm()
    step = 0.05
    ahead, behind = (log_likelihood(evaluator, x + way * direction, labels) for way in (step, -step))
    assert (ahead - behind) / (2 * step) == pytest.approx(shift.norm().item() / 3, rel=0.05)


def test_a_step_moves_the_clean_picture_by_its_uncertainty(evaluator: Evaluator, exact: Pipeline) -> None:
    schedule = exact.config.schedule
    plain = Denoiser(exact.network, schedule, "v", clip=False)
    steering = EvaluatorGuidance(evaluator, 2.0)
    x, labels = exact.noise([0, 1]), encode(SCENES)
    with torch.no_grad():
        a, b = plain(x, 600, labels), replace(plain, steering=steering)(x, 600, labels)
    sigma2 = 1 - schedule.alpha_bar[600].item()
    torch.testing.assert_close(b.x0, a.x0 + sigma2 * steering.shift(a.x0, labels), rtol=1e-4, atol=1e-5)
    alpha = math.sqrt(1 - sigma2)
    torch.testing.assert_close(alpha * b.x0 + math.sqrt(sigma2) * b.eps, x, rtol=1e-3, atol=1e-4)  # still x_t


def test_steered_runs_please_the_evaluator_more(evaluator: Evaluator, exact: Pipeline) -> None:
    labels, steered = encode(SCENES), exact.steered(EvaluatorGuidance(evaluator, 5.0))
    plain, pleasing = (pipe.generate(SCENES, steps=10) for pipe in (exact, steered))
    assert log_likelihood(evaluator, pleasing, labels) > log_likelihood(evaluator, plain, labels) + 1
    alone = steered.generate(SCENES[1:], seed=1, steps=10)
    torch.testing.assert_close(alone, pleasing[1:], rtol=0.01, atol=0.01)  # here, too, a seed is a picture


@pytest.mark.parametrize("scale", [0, -1, 101, math.nan, math.inf, True, "1"])
def test_an_impossible_scale_is_refused(evaluator: Evaluator, scale: object) -> None:
    with pytest.raises(ValueError, match="evaluator guidance must be a number above 0, up to 100"):
        EvaluatorGuidance(evaluator, scale)  # type: ignore[arg-type]


def test_the_command_line_offers_it(pipeline: Pipeline, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipeline.save_pretrained(tmp_path / "model")
    for name, options in (("plain", []), ("steered", ["--evaluator-guidance", "20"])):
        out = str(tmp_path / f"{name}.png")
        model = ["--checkpoint", str(tmp_path / "model"), "--steps", "5", "--out", out]
        assert main(["generate", "red cube", *model, *options]) == 0
    assert (tmp_path / "plain.png").read_bytes() != (tmp_path / "steered.png").read_bytes()
    assert main(["generate", "red cube", *model, "--evaluator-guidance", "0"]) == 2
    assert "evaluator guidance must be a number above 0" in capsys.readouterr().err
