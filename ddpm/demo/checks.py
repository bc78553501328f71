"""Checks of values, most of them of what programs send to the endpoints."""

from collections.abc import Callable
from typing import Any

from ddpm.labels import brief

Check = Callable[[Any], object]
"""Raises ValueError for a value that will not do."""


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
