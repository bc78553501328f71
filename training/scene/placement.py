"""Random scenes: which objects stand where, under which lamps.

The set-up is that of the i-CLEVR data: the first object of a scene stands at the origin, the others are uniform in a
square, centers keep a distance, and each of three lamps is moved by a random vector. No label stands twice in a scene,
unless a repeat is wanted.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ddpm.labels import COLORS, LABELS, SHAPES, LabelError, check

OBJECT_SIZE = 0.575  # sphere radius, half the side of the cube, radius and half the height of the cylinder
PLACEMENT_RANGE = 3.0  # objects beside the first are uniform in [-3, 3]^2
MIN_DISTANCE = 2 * OBJECT_SIZE + 0.25  # between centers
LAYOUT_SIZE = 16  # cells a side of a layout, which says what stands where in the picture
LAMPS = ("Lamp_Key", "Lamp_Fill", "Lamp_Back")

# How often a training scene has 0, 1, ..., 5 objects.
COUNT_WEIGHTS = (0.03, 0.17, 0.25, 0.29, 0.14, 0.12)


@dataclass(frozen=True)
class SceneObject:
    """One object: its label, its place on the ground and its rotation about z in radians."""

    label: str
    x: float
    y: float
    theta: float

    @property
    def shape(self) -> int:
        """Index into `ddpm.labels.SHAPES`."""
        return SHAPES.index(self.label.split()[1])

    @property
    def color(self) -> int:
        """Index into `ddpm.labels.COLORS`."""
        return COLORS.index(self.label.split()[0])


@dataclass(frozen=True)
class Scene:
    """Objects and the displacement of the three lamps (`LAMPS`), each an (x, y, z)."""

    objects: tuple[SceneObject, ...]
    jitter: tuple[tuple[float, float, float], ...] = ((0.0, 0.0, 0.0),) * 3

    @property
    def labels(self) -> list[str]:
        """Labels in the order in which the objects were placed."""
        return [o.label for o in self.objects]


def random_labels(rng: np.random.Generator, count: int | None = None, repeat: bool = False) -> list[str]:
    """Labels in random order; `count` of them, or a random number as in `COUNT_WEIGHTS`.

    They are distinct; or, with `repeat`, one of them stands twice and the count is at least 2.
    Raises ValueError for a repeat among fewer than two.
    """
    if count is None:
        fewest = 2 if repeat else 0
        weights = np.array(COUNT_WEIGHTS[fewest:])
        count = fewest + int(rng.choice(len(weights), p=weights / weights.sum()))
    if not repeat:
        return [LABELS[i] for i in rng.choice(len(LABELS), size=count, replace=False)]
    if count < 2:
        raise ValueError(f"a label can stand twice only among two objects or more, not {count}")
    labels = random_labels(rng, count - 1)
    return [str(label) for label in rng.permutation([*labels, labels[0]])]


def random_scene(rng: np.random.Generator, labels: Sequence[str]) -> Scene:
    """A scene with exactly these labels, of which some may stand twice; the first stands at the origin."""
    check(labels, repeats=True)
    places: list[tuple[float, float]] = []
    while len(places) < len(labels):
        place = (0.0, 0.0) if not places else tuple(rng.uniform(-PLACEMENT_RANGE, PLACEMENT_RANGE, 2))
        if all(math.dist(place, other) >= MIN_DISTANCE for other in places):
            places.append(place)
    objects = tuple(
        SceneObject(label, float(x), float(y), float(rng.uniform(0, 2 * math.pi)))
        for label, (x, y) in zip(labels, places, strict=True)
    )
    jitter = tuple(tuple(float(v) for v in row) for row in rng.uniform(-1, 1, (len(LAMPS), 3)))
    return Scene(objects, jitter)  # type: ignore[arg-type]


def sequence_of(name: str) -> int:
    """The number of a picture's sequence, 12 for "ref_00012_1.png". Raises ValueError where the name has none."""
    parts = name.split("_")
    if len(parts) < 2 or not parts[1].isdecimal():
        raise ValueError(f"{name!r} names no sequence, as ref_00012_1.png does")
    return int(parts[1])


def read_scenes(path: str | Path) -> dict[str, Scene]:
    """Scenes of a `scenes.json` (a list of {file, objects: [{label, x, y, theta}], jitter}), by file name.

    Raises ValueError naming the file and the entry where one is malformed.
    """
    path = Path(path)
    try:
        entries = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: cannot be read as JSON: {error}") from error
    if not isinstance(entries, list):
        raise ValueError(f"{path}: expected a list of scenes, got {type(entries).__name__}")
    if not entries:
        raise ValueError(f"{path}: holds no scene")
    scenes = {}
    for index, entry in enumerate(entries):
        try:
            objects = tuple(
                SceneObject(o["label"], float(o["x"]), float(o["y"]), float(o["theta"])) for o in entry["objects"]
            )
            check([o.label for o in objects], repeats=True)
            jitter = tuple(tuple(float(v) for v in entry["jitter"][lamp]) for lamp in LAMPS)
            name = str(entry["file"])
            numbers = [v for o in objects for v in (o.x, o.y, o.theta)] + [v for row in jitter for v in row]
            if not all(map(math.isfinite, numbers)):
                raise ValueError("places, angles and jitter must be finite numbers")
            if name in scenes:
                raise ValueError(f"{name} stands twice")
            if any(len(row) != 3 for row in jitter):
                raise ValueError("a lamp's jitter must be three numbers")
            if Path(name).name != name or not name.endswith(".png"):
                raise ValueError(f"file must be the plain name of a .png, got {name!r}")
        except (LabelError, ValueError, KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"{path}: scene {index}: {type(error).__name__}: {error}") from error
        scenes[name] = Scene(objects, jitter)  # type: ignore[arg-type]
    return scenes
