"""The page on a free port, around a tiny network with random weights and a judge that always says the same."""

import socket
from collections.abc import Iterator

import pytest
import torch

from ddpm import Pipeline, checkpoint
from ddpm.labels import LABEL_ID, NUM_LABELS
from ddpm.networks import build
from ddpm.schedule import NoiseSchedule

STEPS = 25
SEEN = {"red cube": 0.9, "gray cylinder": 0.8}


class ConstantJudge:
    """Sees SEEN in every picture, and nothing else."""

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        p = torch.full((len(x), NUM_LABELS), 0.1)
        for label, chance in SEEN.items():
            p[:, LABEL_ID[label]] = chance
        return p


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    folder = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(0)
    options = {"width": 8}
    config = checkpoint.ModelConfig("tiny", "context_unet", options, "v", NoiseSchedule(), steps=STEPS, guidance=2.0)
    checkpoint.save(folder, build("context_unet", options), config)
    return Pipeline.from_pretrained(folder, device="cpu")


@pytest.fixture(scope="session")
def address(pipeline: Pipeline) -> Iterator[str]:
    """The address of the running page."""
    from app import build_demo
    from ddpm.demo.theme import LAUNCH

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    demo = build_demo(pipeline, ConstantJudge())
    _, url, _ = demo.launch(server_name="127.0.0.1", server_port=port, prevent_thread_lock=True, quiet=True, **LAUNCH)
    yield url
    demo.close()
