"""Learning from what a trained model predicts, in place of the noise that was added."""

import numpy as np
import torch
from torch import Tensor

from ddpm.denoiser import Denoiser
from ddpm.pipeline import Pipeline
from ddpm.schedule import NoiseSchedule


def teacher_of(pipeline: Pipeline, schedule: NoiseSchedule, guidance: float) -> Denoiser:
    """The pipeline's model as a denoiser at the timesteps of `schedule`, with guidance (Meng et al. 2023, section 3.1).

    At a timestep of `schedule` its network is told the t / T of its own schedule that leaves as much of the picture.
    """
    own = pipeline.config.schedule
    steps = np.arange(1, own.steps + 1)
    less_clear = -schedule.log_snr(torch.arange(1, schedule.steps + 1)).numpy()
    times = np.interp(less_clear, -own.log_snr(torch.from_numpy(steps)).numpy(), steps / own.steps)
    table = torch.tensor([0.0, *times], dtype=torch.float32)

    def network(x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        t = (time * schedule.steps).round().long().cpu()
        return pipeline.ask(x, table[t].to(x.device), labels)

    return Denoiser(network, schedule, pipeline.config.prediction, guidance, pipeline.dtype)
