"""The 24 labels and their order, multi-hot vectors, and the files that hold labels."""

import json
from collections.abc import Sequence
from difflib import get_close_matches
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

SHAPES = ("cube", "sphere", "cylinder")
COLORS = ("gray", "red", "blue", "green", "brown", "purple", "cyan", "yellow")
LABELS = tuple(f"{color} {shape}" for shape in SHAPES for color in COLORS)  # id = shape * 8 + color
LABEL_ID = {label: i for i, label in enumerate(LABELS)}
NUM_LABELS = len(LABELS)
MAX_OBJECTS = 5

NULL = -1.0
"""Every entry of the null condition: "anything", which guidance needs, as distinct from zeros, the empty scene."""


class LabelError(ValueError):
    """A label, a scene or a file of scenes that is not what it should be; the message says what and where."""


def check(labels: Sequence[str], repeats: bool = False) -> tuple[str, ...]:
    """Return the labels of one scene in the order of LABELS; an empty scene is fine.

    repeats: whether a label may stand more than once, as in what a picture shows; in a request it may not.
    Raises LabelError for anything but a list of at most MAX_OBJECTS labels, different ones without `repeats`.
    """
    if not isinstance(labels, (list, tuple)):
        raise LabelError(f'a scene is a list of labels such as ["red cube"], not {brief(labels)}')
    for label in labels:
        if not isinstance(label, str):
            raise LabelError(f'a label is a text such as "red cube", not {brief(label)}')
        if label not in LABEL_ID:
            raise LabelError(f"unknown label {brief(label)}; {_hint(label)}")
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None and not repeats:
        raise LabelError(f"{twice!r} stands twice in a scene; each label may stand once")
    if len(labels) > MAX_OBJECTS:
        raise LabelError(f"{len(labels)} labels in a scene; at most {MAX_OBJECTS} are allowed")
    return tuple(sorted(labels, key=LABEL_ID.__getitem__))


def encode(scenes: Sequence[Sequence[str]]) -> Tensor:
    """Return the multi-hot vectors of N scenes: float32 (N, 24), zeros for an empty scene. Raises LabelError."""
    checked = _check_all(scenes)
    vectors = torch.zeros(len(checked), NUM_LABELS)
    for i, labels in enumerate(checked):
        vectors[i, [LABEL_ID[label] for label in labels]] = 1.0
    return vectors


def decode(vector: Tensor, threshold: float = 0.5) -> list[str]:
    """Return the labels whose entry of a vector (24,) is at least `threshold`, in the order of LABELS."""
    if vector.shape != (NUM_LABELS,):
        raise LabelError(f"a vector of {NUM_LABELS} entries is expected, not one of shape {tuple(vector.shape)}")
    return [label for label, value in zip(LABELS, vector.tolist(), strict=True) if value >= threshold]


def read_spec(path: str | PathLike[str]) -> list[list[str]]:
    """Read scenes from a JSON list of label lists, the format of the lab's test.json; labels come in LABELS order.

    Raises LabelError, which names the file, the entry and the fault, and OSError where the file cannot be read.
    """
    entries = _read_json(path)
    if not isinstance(entries, list):
        raise LabelError(f"{path}: a list of scenes (lists of labels) is expected, not {brief(entries)}")
    return [_check_entry(path, f"scene {i}", labels) for i, labels in enumerate(entries)]


def read_labels(path: str | PathLike[str], repeats: bool = False) -> dict[str, list[str]]:
    """Read a JSON object that maps file names to labels, the format of the lab's train.json; errors as in read_spec.

    repeats: whether a label may stand more than once in a scene.
    """
    entries = _read_json(path)
    if not isinstance(entries, dict):
        raise LabelError(f"{path}: an object (file name: labels) is expected, not {brief(entries)}")
    return {name: _check_entry(path, brief(name), labels, repeats) for name, labels in entries.items()}


def read_objects(path: str | PathLike[str]) -> dict[str, int]:
    """Read the lab's objects.json, which gives each label its number, and return it if these are the numbers used here.

    A classifier's outputs and the labels of the data only fit together where they are. Errors as in read_spec.
    """
    entries = _read_json(path)
    if not isinstance(entries, dict):
        raise LabelError(f"{path}: an object (label: number) is expected, not {brief(entries)}")
    for label, number in entries.items():
        if label not in LABEL_ID:
            raise LabelError(f"{path}: unknown label {brief(label)}; {_hint(label)}")
        if type(number) is not int or number != LABEL_ID[label]:
            raise LabelError(f"{path}: {label!r} must have the number {LABEL_ID[label]}, not {brief(number)}")
    if missing := LABEL_ID.keys() - entries:
        raise LabelError(f"{path}: {', '.join(sorted(missing))} missing")
    return entries


def _check_all(scenes: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    if not isinstance(scenes, (list, tuple)):
        raise LabelError(f'a list of scenes such as [["red cube"]] is expected, not {brief(scenes)}')
    checked = []
    for i, labels in enumerate(scenes):
        try:
            checked.append(check(labels))
        except LabelError as error:
            raise LabelError(f"scene {i}: {error}") from None
    return checked


def _check_entry(path: str | PathLike[str], entry: str, labels: Any, repeats: bool = False) -> list[str]:
    try:
        return list(check(labels, repeats))
    except LabelError as error:
        raise LabelError(f"{path}: {entry}: {error}") from None


def _read_json(path: str | PathLike[str]) -> Any:
    try:
        return json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:  # ValueError: no JSON, or no UTF-8
        raise LabelError(f"{path}: not a JSON file: {error}") from None


def _hint(label: str) -> str:
    close = get_close_matches(label.lower()[:40], LABELS, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"a label is a color ({', '.join(COLORS)}) and a shape ({', '.join(SHAPES)})"


def brief(value: object) -> str:
    """Show a value of any size in an error message."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
