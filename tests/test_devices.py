"""Where a network runs when nobody says where: a GPU, and the CPU where there is none or it cannot do it."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from ddpm import Evaluator, Pipeline, devices
from ddpm.evaluator import EvaluatorConfig, build_network
from ddpm.networks import build
from ddpm.samplers import SAMPLERS
from ddpm.settings import Settings


@pytest.fixture
def mac(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that says it has mps; nothing can be computed there."""
    monkeypatch.delenv("DDPM_DEVICE", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)


def test_a_gpu_is_chosen_where_there_is_one(mac: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert devices.best().type == "mps"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert devices.best().type == "cuda"
    monkeypatch.setenv("DDPM_DEVICE", "cpu")
    assert devices.best().type == "cpu"


@pytest.mark.parametrize("name", ["tpu", "cuda", "cuda:x", "cpu:1", "mps:0"])
def test_a_device_that_is_not_here_is_refused(mac: None, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("DDPM_DEVICE", name)
    with pytest.raises(ValueError, match=r"DDPM_DEVICE must be a device of this machine \(cpu, mps\), not"):
        devices.best()


def test_where_mps_cannot_do_it_the_cpu_does(mac: None, pipeline: Pipeline, caplog: pytest.LogCaptureFixture) -> None:
    def fails(device: torch.device) -> None:
        raise NotImplementedError("The operator 'aten::x' is not implemented for the MPS device.\nMore words")

    assert devices.working(torch.device("mps"), fails).type == "cpu"
    assert caplog.messages == ["mps is not used, the CPU runs the network: The operator 'aten::x' is not implemented "
                               "for the MPS device."]  # fmt: skip
    assert devices.working(torch.device("mps"), lambda device: None).type == "mps"
    assert devices.working(torch.device("cuda"), fails).type == "cuda"  # what is wrong there must be seen


def test_models_load_on_the_cpu_where_mps_is_there_in_name_alone(mac: None, tmp_path, pipeline: Pipeline) -> None:
    pipeline.save_pretrained(tmp_path)
    assert Pipeline.from_pretrained(tmp_path).device.type == "cpu"
    assert Evaluator.from_pretrained("checkpoints/evaluator").device.type == "cpu"


class NoFloat64(TorchDispatchMode):
    """Notes operations that put float64 on a device that, as mps, does not know it; "meta" stands for it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.seen = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for value in tree_flatten((args, kwargs, result))[0]:
            if isinstance(value, torch.Tensor) and value.device.type == "meta":
                self.seen += 1
                if value.dtype == torch.float64:
                    self.found.append(str(func))
        return result


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("kind", ["unet", "context_unet"])
def test_no_float64_reaches_the_device(pipeline: Pipeline, sampler: str, kind: str) -> None:
    options = {"channels": [48, 48], "blocks": [1, 1, 1], "embedding": 32} if kind == "unet" else {"width": 8}
    pipe = Pipeline(build(kind, options).to("meta"), pipeline.config, "meta")
    x, conditions = pipe.noise([0, 1]), torch.zeros(2, 24)
    with NoFloat64() as trace:
        steps = list(pipe.sample(x, conditions, Settings(sampler, 3, 2.0), [0, 1]))
    assert len(steps) == 3 and all(step.x0.device.type == "meta" for step in steps)
    assert trace.seen > 100 and trace.found == []


def test_the_judge_needs_no_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluator = Evaluator(build_network("gentle"), EvaluatorConfig(), "meta")
    with NoFloat64() as trace:
        evaluator.network(torch.zeros(2, 3, 64, 64).to("meta"))
    assert trace.seen > 50 and trace.found == []
