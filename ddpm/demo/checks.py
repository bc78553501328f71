"""Checks of what people and programs ask for."""

from collections.abc import Callable
from typing import Any

import gradio as gr

from ddpm.labels import LabelError, brief, check

Check = Callable[[Any], object]
"""Raises ValueError for a value that will not do."""

MAX_PAGE_SEED = 2**53 - 1
"""The largest whole number that a browser holds exactly."""


def one_of(what: str, allowed: tuple[str, ...]) -> Check:
    """Return the check of a value that must be one of a few."""

    def check_value(value: Any) -> None:
        if value not in allowed:
            raise ValueError(f"{what} {brief(value)} is unknown; allowed are {', '.join(allowed)}")

    return check_value


def whole(what: str, least: int, most: int) -> Check:
    """Return the check of a whole number."""

    def check_value(value: Any) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"{what} must be a whole number from {least} to {most}, not {brief(value)}")

    return check_value


def yes_or_no(what: str) -> Check:
    """Return the check of a truth value."""

    def check_value(value: Any) -> None:
        if not isinstance(value, bool):
            raise ValueError(f"{what} must be true or false, not {brief(value)}")

    return check_value


def judged(check_argument: Callable[[Any], object], value: Any) -> dict[str, Any]:
    """Return what a validator says of a value: that it will do, or why not, in the words of the check's ValueError."""
    try:
        check_argument(value)
    except ValueError as error:
        message = str(error)
        return gr.validate(False, message[0].upper() + message[1:])
    return gr.validate(True, "")


def requested(labels: Any) -> tuple[str, ...]:
    """Return the labels of a scene to be drawn, in the order of LABELS. Raises LabelError, also for none."""
    scene = check(labels)
    if not scene:
        raise LabelError("nothing is requested: at least one object is needed")
    return scene


def is_seed(seed: Any) -> bool:
    """Tell whether this is a whole number that names a noise, and that a browser can hold."""
    return isinstance(seed, int) and not isinstance(seed, bool) and 0 <= seed <= MAX_PAGE_SEED


check_seed = whole("seed", 0, MAX_PAGE_SEED)
"""The check of a seed that a browser can hold."""
