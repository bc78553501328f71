"""Scenes to pictures: a batched ray tracer with direct light, soft shadows and one approximate bounce, in torch.

    python -m training.render --count 64 --seed 0 --out FOLDER
    python -m training.render --scenes scenes.json --out FOLDER

Writes FOLDER/images/*.png (64x64), FOLDER/labels.json (file name -> labels) and FOLDER/layouts.npy (what stands
where, see `layouts`). Runs on the GPU where there is one.
"""

from __future__ import annotations

import argparse
import functools
import json
import multiprocessing
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate
from tqdm import tqdm

from ddpm import IMAGE_SIZE, terminal
from ddpm.checkpoint import write_whole
from ddpm.labels import COLORS, MAX_OBJECTS, NUM_LABELS
from training.scene import shading
from training.scene.geometry import CAMERA_POSITION, Objects, backdrop_hits, camera_rays
from training.scene.placement import LAYOUT_SIZE, Scene, random_labels, random_scene, read_scenes

SAMPLES = 128  # primary rays along each side of the squashed picture
LAMP_SAMPLES = 2  # shadow rays along each side of a lamp, from every primary hit
MIN_VISIBLE = 200 / (320 * 240)  # share of the picture below which a scene is rejected for a hidden object
CPU_BATCH, GPU_BATCH = 4, 64  # scenes at once: as many as stay in a core's cache, and as keep a GPU busy


@dataclass(frozen=True)
class Hits:
    """What the B * R primary rays of a batch see.

    point, normal (3, B, R); seen (B, R): index into `objects`, -1 for the backdrop. alone (P,): how many rays would see
    each object if it were the only one.
    """

    objects: Objects
    point: Tensor
    normal: Tensor
    seen: Tensor
    alone: Tensor


def first_hits(scenes: Sequence[Scene], device: torch.device, samples: int = SAMPLES) -> Hits:
    """Send samples * samples rays into each scene and find the nearest surface."""
    b, r = len(scenes), samples**2
    objects = Objects.of(scenes, device)
    eye = torch.tensor(CAMERA_POSITION, device=device)[:, None]  # (3, 1)
    ray = camera_rays(samples, device)  # (3, R)
    backdrop, backdrop_normal = backdrop_hits(samples, device)
    distance = backdrop.expand(b, r).clone()
    seen = torch.full((b, r), -1, dtype=torch.long, device=device)
    normal = backdrop_normal[:, None, :].expand(3, b, r).clone()
    alone = seen.new_zeros(0)
    if p := len(objects.scene):
        origin = objects.to_local((eye - objects.center)[:, :, None])
        near, far = objects.intervals(origin, objects.to_local(ray[:, None, :].expand(3, p, r)))
        hit = torch.where((near < far) & (near > 0), near, torch.inf)  # (P, R)
        alone = (hit < backdrop).sum(1)
        for k in range(p):  # a handful of objects a scene: the plainest scatter-argmin
            i = objects.scene[k]
            closer = hit[k] < distance[i]
            distance[i] = torch.where(closer, hit[k], distance[i])
            seen[i] = torch.where(closer, k, seen[i])
    point = eye[:, :, None] + torch.where(distance.isinf(), 0.0, distance) * ray[:, None, :]
    if p:
        scene, at = (seen >= 0).nonzero(as_tuple=True)
        normal[:, scene, at] = _select(objects, seen[scene, at]).normals_at(point[:, scene, at])
    return Hits(objects, point, normal, seen, alone)


def _select(objects: Objects, index: Tensor) -> Objects:
    # one row for each entry of `index`
    return Objects(**{f.name: getattr(objects, f.name)[..., index] for f in fields(Objects)})


def visible_shares(scenes: Sequence[Scene], device: torch.device | str = "cpu") -> list[tuple[float, float]]:
    """For each scene the smallest share of the picture that an object has, and of an object that no other hides.

    An empty scene has (1, 1).
    """
    hits = first_hits(scenes, torch.device(device))
    shares = [(1.0, 1.0)] * len(scenes)
    objects = hits.objects.scene.tolist()
    seen = torch.bincount(hits.seen[hits.seen >= 0], minlength=len(objects)).tolist()
    for i, rays, alone in zip(objects, seen, hits.alone.tolist(), strict=True):
        in_picture, in_sight = shares[i]
        shares[i] = (min(in_picture, rays / SAMPLES**2), min(in_sight, rays / max(1, alone)))
    return shares


def batch_size(device: torch.device | str) -> int:
    """How many scenes to trace at once."""
    return GPU_BATCH if torch.device(device).type == "cuda" else CPU_BATCH


@torch.no_grad()
def layouts(scenes: Sequence[Scene], device: torch.device | str = "cpu") -> Tensor:
    """Which label covers most of each cell of a 16x16 grid: uint8 (N, 16, 16), 24 for the backdrop."""
    kinds = NUM_LABELS + 1
    found = []
    size = batch_size(device)
    for start in range(0, len(scenes), size):
        hits = first_hits(scenes[start : start + size], torch.device(device))
        label = torch.cat([hits.objects.shape * len(COLORS) + hits.objects.color, hits.seen.new_tensor([NUM_LABELS])])
        cells = label[hits.seen].reshape(-1, LAYOUT_SIZE, SAMPLES // LAYOUT_SIZE, LAYOUT_SIZE, SAMPLES // LAYOUT_SIZE)
        cells = cells.transpose(2, 3).flatten(3)  # (B, 16, 16, rays of a cell)
        found.append(torch.nn.functional.one_hot(cells, kinds).sum(3).argmax(-1).to(torch.uint8).cpu())
    return torch.cat(found) if found else torch.empty((0, LAYOUT_SIZE, LAYOUT_SIZE), dtype=torch.uint8)


def trace(scenes: Sequence[Scene], device: torch.device, samples: int = SAMPLES) -> Tensor:
    """Linear radiance (B, 3, samples, samples)."""
    hits = first_hits(scenes, device, samples)
    objects = hits.objects
    p = len(objects.scene)
    # Object points as one flat list of Q
    scene, at = (hits.seen >= 0).nonzero(as_tuple=True)
    own = _select(objects, hits.seen[scene, at])
    normal = hits.normal[:, scene, at]
    color = shading.reflectance(device)[own.color].T  # (3, Q)
    view = -camera_rays(samples, device)[:, at]

    ground = shading.ground_bounce(hits.point, hits.normal, objects)  # irradiance (3, B, R)
    surface = shading.rubber_bounce(color, normal, view)  # radiance (3, Q)
    centers, jitters = _lamp_positions(scenes, device), _lamp_jitter(samples, device)
    for lamp, center, jitter in zip(shading.LAMPS, centers, jitters, strict=True):  # center (3, B)
        light, strength = lamp.illuminate(hits.point, center[:, :, None])  # (3, B, R), (B, R)
        if p:
            strength = strength * _visibility(hits, center, lamp.side, jitter)
        tint = torch.tensor(lamp.color, device=device)
        ground += tint[:, None, None] * strength * shading.dot(hits.normal, light).clamp_min(0)
        surface += tint[:, None] * strength[scene, at] * shading.rubber(color, normal, view, light[:, scene, at])
    radiance = shading.GROUND_REFLECTANCE / torch.pi * ground
    radiance[:, scene, at] = surface
    return radiance.reshape(3, len(scenes), samples, samples).transpose(0, 1)


def _visibility(hits: Hits, center: Tensor, side: float, jitter: Tensor) -> Tensor:
    # Share (B, R) of a lamp's square at `center` (3, B) that each hit point sees past the objects
    objects, (b, r) = hits.objects, hits.seen.shape
    aim = shading.normalize(center)  # lamps look at the origin
    u = shading.normalize(torch.stack([-aim[1], aim[0], torch.zeros_like(aim[0])]))
    v = torch.linalg.cross(aim, u, dim=0)
    lamp, u, v = (
        objects.to_local(w[:, :, None])
        for w in (center[:, objects.scene] - objects.center, u[:, objects.scene], v[:, objects.scene])
    )
    point = objects.to_local(hits.point[:, objects.scene] - objects.center[:, :, None])  # (3, P, R)
    # Convex bodies cast no shadow on their own lit side
    other = hits.seen[objects.scene] != torch.arange(len(objects.scene), device=point.device)[:, None]
    visible = torch.ones((b, r), device=point.device)
    for cell in range(LAMP_SAMPLES**2):
        x = ((cell % LAMP_SAMPLES + jitter[cell, 0]) / LAMP_SAMPLES - 0.5) * side
        y = ((cell // LAMP_SAMPLES + jitter[cell, 1]) / LAMP_SAMPLES - 0.5) * side
        near, far = objects.intervals(point, lamp - point + x * u + y * v)
        blocks = (near < far) & (far > 1e-6) & (near < 1) & other  # (P, R)
        blocked = torch.zeros_like(visible).index_add_(0, objects.scene, blocks.float())
        visible -= (blocked > 0).float() / LAMP_SAMPLES**2
    return visible


@functools.lru_cache(maxsize=4)
def _lamp_jitter(samples: int, device: torch.device) -> Tensor:
    # (lamps, cells, 2, R): where in its cell of the lamp each shadow ray ends
    shape = (len(shading.LAMPS), LAMP_SAMPLES**2, 2, samples**2)
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)).to(device)


def _lamp_positions(scenes: Sequence[Scene], device: torch.device) -> Tensor:
    # (lamps, 3, B); the sun does not move
    base = torch.tensor([lamp.position for lamp in shading.LAMPS])
    jitter = torch.tensor([[*scene.jitter, (0.0, 0.0, 0.0)] for scene in scenes])
    return (base + jitter).permute(1, 2, 0).contiguous().to(device)


@torch.no_grad()
def render(scenes: Sequence[Scene], device: torch.device | str = "cpu") -> Tensor:
    """Pictures of scenes: uint8 (N, 3, 64, 64), sRGB, the 4:3 view squashed to a square with an antialiasing filter."""
    pictures = []
    size = batch_size(device)
    for start in range(0, len(scenes), size):
        fine = shading.to_srgb(trace(scenes[start : start + size], torch.device(device)))
        small = interpolate(fine, size=(IMAGE_SIZE, IMAGE_SIZE), mode="bilinear", antialias=True)
        pictures.append((small * 255).round().to(torch.uint8).cpu())
    return torch.cat(pictures) if pictures else torch.empty((0, 3, IMAGE_SIZE, IMAGE_SIZE), dtype=torch.uint8)


@torch.no_grad()
def random_scenes(
    indices: Sequence[int],
    seed: int,
    counts: Sequence[int] | None = None,
    in_sight: float = 0.0,
    device: torch.device | str = "cpu",
    repeats: float = 0.0,
) -> list[Scene]:
    """Random scenes, placed anew until each object covers `MIN_VISIBLE` and at least in_sight of it is in sight.

    Scene i depends on seed and i alone, and in rare cases on the device, whose rounding may reject a place.
    counts: scene i has counts[i % len(counts)] objects. device: where rays are traced. repeats: the share of scenes in
    which a label stands twice.
    """
    rngs = {i: np.random.default_rng([seed, i]) for i in indices}
    labels = {
        i: random_labels(rng, counts[i % len(counts)] if counts else None, repeats > 0 and rng.random() < repeats)
        for i, rng in rngs.items()
    }
    placed: dict[int, Scene] = {}
    while missing := [i for i in indices if i not in placed]:
        scenes = [random_scene(rngs[i], labels[i]) for i in missing]
        for i, scene, (covers, unhidden) in zip(missing, scenes, visible_shares(scenes, device), strict=True):
            if covers >= MIN_VISIBLE and unhidden >= in_sight:
                placed[i] = scene
    return [placed[i] for i in indices]


def _begin_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends its workers
    torch.set_num_threads(1)


def _render_job(job: tuple[list[Path], Callable[[], list[Scene]]], device: str) -> tuple[list[list[str]], Tensor]:
    # One chunk of work, in a process of its own: its pictures' files; returns their labels and layouts
    files, make_scenes = job
    scenes = make_scenes()
    for file, picture in zip(files, render(scenes, device), strict=True):
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(file)
    return [scene.labels for scene in scenes], layouts(scenes, device)


def write_dataset(
    chunks: Sequence[tuple[Sequence[str], Callable[[], list[Scene]]]], out: Path, device: str = "cpu"
) -> None:
    """Render chunks of scenes, each with its pictures' names, into the files of a data folder, in order.

    One process a core, or a single one with the GPU: more of them wait for each other there.
    """
    images = out / "images"
    images.mkdir(parents=True, exist_ok=True)
    # First of all, so that what an interruption leaves is no data set: never new pictures under old labels
    for name in ("labels.json", "layouts.npy"):
        (out / name).unlink(missing_ok=True)
    labels: dict[str, list[str]] = {}
    maps: list[Tensor] = []
    jobs = [([images / name for name in names], make_scenes) for names, make_scenes in chunks]
    processes = 1 if device == "cuda" else None
    context = multiprocessing.get_context("spawn")
    with (
        tqdm(total=sum(len(names) for names, _ in chunks), unit="scene") as bar,
        context.Pool(processes, initializer=_begin_worker) as pool,
    ):
        done = pool.imap(functools.partial(_render_job, device=device), jobs)
        for (names, _), (chunk_labels, chunk_layouts) in zip(chunks, done, strict=True):
            labels.update(zip(names, chunk_labels, strict=True))
            maps.append(chunk_layouts)
            bar.update(len(names))
    np.save(out / "layouts.npy", torch.cat(maps).numpy())
    write_whole(out / "labels.json", lambda part: part.write_text(json.dumps(labels, indent=0), encoding="utf-8"))


def main(arguments: list[str] | None = None) -> None:
    """Command line: see the module's docstring."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the workers are to be ended, see below
    parser = argparse.ArgumentParser(description="Render scenes of colored shapes, 64x64, with their labels.")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--count", type=int, help="number of random scenes")
    source.add_argument("--scenes", type=Path, help="a scenes.json: one picture for each scene, same file names")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random scenes")
    parser.add_argument(
        "--counts",
        type=int,
        nargs="+",
        choices=range(MAX_OBJECTS + 1),
        help="numbers of objects, in turn (default: 0 to 5)",
    )
    parser.add_argument(
        "--in-sight", type=float, default=0.0, help="share of each object, up to 0.95, that no other may hide"
    )
    parser.add_argument(
        "--repeats", type=float, default=0.0, help="share of scenes in which a label stands twice (default 0)"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for images/, labels.json and layouts.npy")
    args = parser.parse_args(arguments)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    size = batch_size(device)
    chunks: list[tuple[Sequence[str], Callable[[], list[Scene]]]] = []
    if args.scenes:
        try:
            given = read_scenes(args.scenes)
        except (OSError, ValueError) as error:
            parser.error(str(error))
        names, scenes = list(given), list(given.values())
        for i in range(0, len(names), size):
            chunks.append((names[i : i + size], functools.partial(list, scenes[i : i + size])))
    else:
        if args.count < 1 or args.seed < 0:
            parser.error(f"--count must be at least 1 and --seed at least 0, got {args.count} and {args.seed}")
        if not 0 <= args.in_sight <= 0.95:
            parser.error(f"--in-sight must be from 0 to 0.95, got {args.in_sight}")
        if not 0 <= args.repeats <= 1:
            parser.error(f"--repeats must be from 0 to 1, got {args.repeats}")
        if args.repeats and min(args.counts or [2]) < 2:
            parser.error(f"--repeats needs two objects in each scene, --counts has {min(args.counts)}")
        for i in range(0, args.count, size):
            indices = range(i, min(i + size, args.count))
            make_scenes = functools.partial(
                random_scenes, indices, args.seed, args.counts, args.in_sight, device, args.repeats
            )
            chunks.append(([f"scene_{i:06d}.png" for i in indices], make_scenes))
    try:
        write_dataset(chunks, args.out, device)
    except OSError as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    terminal.run(main)
