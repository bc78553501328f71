"""A faster way to run the network gives eager's pictures, or is not used."""

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from ddpm import Pipeline, backends
from ddpm.backends import Switching, check_pace, openvino
from ddpm.checkpoint import ModelConfig
from ddpm.denoiser import Network
from ddpm.evaluator import Evaluator, EvaluatorConfig, build_network
from ddpm.networks import build
from ddpm.schedule import NoiseSchedule

SMALL = {"channels": [48, 48], "blocks": [1, 1, 1]}
CONFIGS = {
    "unet": ModelConfig("small", "unet", SMALL, "v", NoiseSchedule("cosine"), "sde-dpm++", 4, 2.0),
    "staged": ModelConfig(
        "two", "staged", {"until": [0.5, 1.0], "options": [SMALL, SMALL]}, "v", NoiseSchedule("cosine"), "ddim", 4, 2.0
    ),
}


SCENES = [["red cube"], ["blue sphere", "gray cube"], []]


@pytest.fixture(scope="module", autouse=True)
def any_pace() -> Iterator[None]:
    """Networks as small as these are no measure of speed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backends, "check_pace", lambda *_: None)
        yield


def pipeline(kind: str) -> Pipeline:
    torch.manual_seed(0)
    config = CONFIGS[kind]
    network = build(config.network, config.options)
    with torch.no_grad():
        for parameter in network.parameters():  # layers that start at zero would hide what stands behind them
            parameter.add_(0.02 * torch.randn_like(parameter))
    return Pipeline(network, config)


@pytest.fixture(scope="module")
def fast() -> Pipeline:
    pytest.importorskip("openvino")
    pipe = pipeline("staged")
    assert pipe.accelerate().wait() == "OpenVINO"
    return pipe


@pytest.mark.slow
@pytest.mark.parametrize("kind", CONFIGS)
def test_openvino_draws_the_picture_that_eager_draws(kind: str) -> None:
    pytest.importorskip("openvino")
    pipe = pipeline(kind)
    eager = pipe.generate(SCENES, seed=3)
    assert pipe.accelerate().wait() == "OpenVINO"
    torch.testing.assert_close(pipe.generate(SCENES, seed=3), eager, atol=1e-3, rtol=0)


def test_a_batch_equals_singles(fast: Pipeline) -> None:
    singles = torch.cat([fast.generate([scene], seed=3 + i) for i, scene in enumerate(SCENES)])
    torch.testing.assert_close(fast.generate(SCENES, seed=3), singles, atol=1e-4, rtol=0)


def test_two_runs_in_turn_do_not_touch_each_other(fast: Pipeline) -> None:
    one, two = (list(fast.stream([["red cube"]], seed=seed)) for seed in (1, 2))
    for i, steps in enumerate(
        zip(fast.stream([["red cube"]], seed=1), fast.stream([["red cube"]], seed=2), strict=True)
    ):
        torch.testing.assert_close(steps[0].x0, one[i].x0)
        torch.testing.assert_close(steps[1].x0, two[i].x0)


def test_threads_may_draw_at_once(fast: Pipeline) -> None:
    wanted = [fast.generate([["red cube"]], seed=seed) for seed in range(4)]
    given: dict[int, torch.Tensor] = {}

    def draw(seed: int) -> None:
        given[seed] = fast.generate([["red cube"]], seed=seed)

    threads = [threading.Thread(target=draw, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, picture in enumerate(wanted):
        torch.testing.assert_close(given[seed], picture)


def test_a_missing_backend_leaves_eager_and_one_line(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    monkeypatch.setitem(sys.modules, "openvino", None)
    pipe = pipeline("unet")
    eager = pipe.generate(SCENES, seed=3)
    with caplog.at_level(logging.WARNING):
        assert pipe.accelerate().wait() == "eager"
    assert torch.equal(pipe.generate(SCENES, seed=3), eager)
    (record,) = caplog.records
    assert "OpenVINO is not used" in record.getMessage() and "\n" not in record.getMessage()


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (lambda network: lambda *inputs: 1.01 * network(*inputs), "differs from eager by 0.01"),
        (lambda network: lambda *inputs: torch.nan * network(*inputs), "differs from eager by nan"),
        (lambda network: lambda *inputs: network(*inputs)[:1], "shape"),
        (lambda network: {}["no such thing"], "no such thing"),
    ],
)
def test_a_backend_that_is_wrong_is_not_used(broken, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    network = pipeline("unet").network
    switching = Switching(network, torch.float32, "broken", lambda network, dtype: broken(network))
    assert switching.wait() == "eager"
    assert switching.current() is network
    assert reason in caplog.text


@pytest.mark.parametrize("slow_at", [None, 2, 8])
def test_a_backend_that_is_slower_is_not_used(
    slow_at: int | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(backends, "check_pace", check_pace)
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    network = pipeline("unet").network
    inside = [False]

    def eager_takes(*_: object) -> None:
        assert not torch.is_grad_enabled()
        now[0] += 0.0 if inside[0] else 0.010

    network.register_forward_hook(eager_takes)

    def prepare(network, dtype):
        def run(x, time, labels):
            inside[0] = True
            out = network(x, time, labels)
            inside[0] = False
            now[0] += 0.020 if len(x) == slow_at else 0.005
            return out

        return run

    assert Switching(network, torch.float32, "other", prepare).wait() == ("other" if slow_at is None else "eager")
    assert (f"20.0 ms for {slow_at} rows, where eager takes 10.0" in caplog.text) == (slow_at is not None)


def test_until_the_backend_is_ready_eager_runs() -> None:
    network, ready = pipeline("unet").network, threading.Event()

    def prepare(network, dtype):
        ready.wait(60)
        return lambda *inputs: network(*inputs)

    switching = Switching(network, torch.float32, "slow", prepare)
    assert (switching.current(), switching.name) == (network, "eager")
    ready.set()
    assert switching.wait() == "slow"
    assert switching.current() is not network


@pytest.mark.parametrize("first", ["shared", "accelerated"])
def test_pipelines_on_one_network_have_one_backend(first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    by: list[str] = []

    def prepare(network, dtype, rows):
        def run(*inputs):
            by.append("backend")
            return network(*inputs)

        return run

    monkeypatch.setattr(openvino, "prepare", prepare)
    pipe = pipeline("unet")
    if first == "shared":  # as on the page, which comes up before the backend is built
        others = [pipe.shared(), pipe.steered(lambda x0, *_: x0)]
        pipe.accelerate().wait()
    else:
        pipe.accelerate().wait()
        others = [pipe.shared(), pipe.steered(lambda x0, *_: x0)]
    by.clear()
    for number, other in enumerate(others, start=1):
        other.generate([["red cube"]], steps=3)
        assert len(by) == 3 * number


def test_the_network_itself_is_left_as_it_was(fast: Pipeline) -> None:
    assert not any(isinstance(module, openvino.Compiled) for module in fast.network.modules())
    backends.check(fast.network, fast.network, torch.float32, backends.denoising(2))


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [(1, [2]), (2, [2]), (3, [2, 2]), (4, [2, 2]), (5, [8]), (8, [8]), (9, [8, 2]), (13, [8, 8]), (32, [8] * 4)],
)
def test_openvino_runs_a_batch_in_compiled_sizes(rows: int, wanted: list[int]) -> None:
    assert openvino.pieces(rows, (8, 2)) == wanted
    assert openvino.pieces(rows, (-1,)) == [rows]


@pytest.mark.parametrize("rows", [1, 3, 8])
def test_without_guidance_a_picture_is_one_row(rows: int) -> None:
    assert openvino.pieces(rows, (1,)) == [1] * rows


@pytest.mark.parametrize(("guidance", "rows"), [(2.5, 2), (1.0, 1), (0.0, 1)])
def test_what_is_compiled_is_what_one_picture_takes(guidance: float, rows: int, monkeypatch: pytest.MonkeyPatch):
    asked = []

    def prepare(network, dtype, rows):
        asked.append(rows)
        return lambda *inputs: network(*inputs)

    monkeypatch.setattr(openvino, "prepare", prepare)
    pipe = pipeline("unet")
    pipe.config = replace(pipe.config, guidance=guidance)
    pipe.accelerate().wait()
    assert asked == [rows]


@pytest.fixture(scope="module", params=[1, 2])
def prepared(request: pytest.FixtureRequest) -> tuple[torch.nn.Module, Network, torch.dtype]:
    """A network, what OpenVINO makes of it, and in which precision: with AMX in compiled sizes."""
    pytest.importorskip("openvino")
    network = pipeline("unet").network
    dtype = torch.bfloat16 if openvino.has_amx() else torch.float32
    return network, openvino.prepare(network, dtype, request.param), dtype


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 8, 11])
def test_every_row_of_a_batch_is_its_own(rows: int, prepared: tuple[torch.nn.Module, Network, torch.dtype]) -> None:
    network, run, dtype = prepared
    generator = torch.Generator().manual_seed(rows)
    x, labels = torch.randn(rows, 3, 64, 64, generator=generator), torch.eye(24)[:rows]
    time = torch.linspace(0.2, 0.9, rows)
    crossed = x.to(memory_format=torch.channels_last)  # of which a copy is made, that must live until it is read
    with torch.no_grad():
        found, wanted = run(crossed, time, labels.T.contiguous().T), network(x, time, labels)
    limit = backends.TOLERANCE[dtype] * float(wanted.abs().max())
    torch.testing.assert_close(found, wanted, atol=limit, rtol=0)


def test_the_evaluator_says_the_same_with_a_backend() -> None:
    pytest.importorskip("openvino")
    torch.manual_seed(0)
    evaluator = Evaluator(build_network("gentle"), EvaluatorConfig("gentle"))
    x = 2 * torch.rand(3, 3, 64, 64) - 1
    eager = evaluator(x)
    assert evaluator.accelerate().wait() == "OpenVINO"
    assert evaluator.accelerate() is evaluator.accelerate()
    found = evaluator(x)
    assert not torch.equal(found, eager)
    torch.testing.assert_close(found, eager, atol=1e-3, rtol=0)
    torch.testing.assert_close(evaluator.look(x)[:, 0], eager)


@pytest.mark.slow
def test_openvino_reports_to_nobody() -> None:
    pytest.importorskip("openvino")
    code = """
import sys, torch
from ddpm.backends import openvino
from ddpm.evaluator import Evaluator, EvaluatorConfig, build_network
from ddpm.networks import build
openvino.prepare(build("unet", {"channels": [48, 48], "blocks": [1, 1, 1]}), torch.float32)
assert "openvino" in sys.modules
print([name for name in sys.modules if name.startswith("openvino_telemetry") and sys.modules[name] is not None])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
