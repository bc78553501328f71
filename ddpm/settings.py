"""How a picture is sampled, and what is allowed."""

import math
from dataclasses import dataclass
from numbers import Integral, Real

from ddpm.labels import brief
from ddpm.samplers import SAMPLERS

MAX_SEED = 2**63 - 1
MAX_GUIDANCE = 20.0


@dataclass(frozen=True)
class Settings:
    """How to sample.

    sampler: a key of SAMPLERS. steps: the number of inference steps, 1..T (`num_inference_steps` in diffusers).
    guidance: the guidance scale w of classifier-free guidance, 0..20 (`guidance_scale`): 0 ignores the labels, 1 takes
    them as they are, more exaggerates what they change.
    """

    sampler: str
    steps: int
    guidance: float


def checked(sampler: str, steps: int, guidance: float, most_steps: int) -> Settings:
    """The settings as plain numbers. most_steps: T of the schedule. Raises ValueError, which says what is allowed."""
    if sampler not in tuple(SAMPLERS):
        raise ValueError(f"sampler {brief(sampler)} is unknown; allowed are {', '.join(SAMPLERS)}")
    if not _is_whole(steps) or not 1 <= steps <= most_steps:
        raise ValueError(f"steps must be a whole number from 1 to {most_steps}, not {brief(steps)}")
    if not _is_number(guidance) or not 0 <= guidance <= MAX_GUIDANCE:
        raise ValueError(f"guidance must be a number from 0 to {MAX_GUIDANCE:g}, not {brief(guidance)}")
    return Settings(sampler, int(steps), float(guidance))


def check_seed(seed: int) -> None:
    """Raise ValueError unless this is a whole number from 0 to MAX_SEED."""
    if not _is_whole(seed) or not 0 <= seed <= MAX_SEED:
        raise ValueError(f"seed must be a whole number from 0 to {MAX_SEED}, not {brief(seed)}")


def _is_whole(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, Integral)


def _is_number(value: object) -> bool:
    try:
        return not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False
