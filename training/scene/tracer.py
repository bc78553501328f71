"""A batched ray tracer in torch: scenes to pictures with direct light, soft shadows and one approximate bounce."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ddpm import IMAGE_SIZE
from ddpm.labels import COLORS, NUM_LABELS
from training.scene import shading
from training.scene.geometry import CAMERA_POSITION, Objects, backdrop_hits, camera_rays
from training.scene.placement import LAYOUT_SIZE, Scene

SAMPLES = 128  # primary rays along each side of the squashed picture
LAMP_SAMPLES = 2  # shadow rays along each side of a lamp, from every primary hit
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


def sights(scenes: Sequence[Scene], device: torch.device | str = "cpu") -> list[list[tuple[float, float]]]:
    """For each object of each scene: its share of the picture, and the share of it that no other object hides."""
    hits = first_hits(scenes, torch.device(device))
    found: list[list[tuple[float, float]]] = [[] for _ in scenes]
    owners = hits.objects.scene.tolist()
    seen = torch.bincount(hits.seen[hits.seen >= 0], minlength=len(owners)).tolist()
    for i, rays, alone in zip(owners, seen, hits.alone.tolist(), strict=True):
        found[i].append((rays / SAMPLES**2, rays / max(1, alone)))
    return found


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


def trace(
    scenes: Sequence[Scene], device: torch.device, samples: int = SAMPLES, bounce: shading.Bounce = shading.BOUNCE
) -> Tensor:
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

    ground = shading.ground_bounce(hits.point, hits.normal, objects, bounce)  # irradiance (3, B, R)
    surface = shading.rubber_bounce(color, normal, view, bounce)  # radiance (3, Q)
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


def shrink(radiance: Tensor) -> Tensor:
    """Linear radiance (B, 3, H, W) as sRGB in [0, 1] (B, 3, 64, 64): the 4:3 view squashed, with antialiasing."""
    fine = shading.to_srgb(radiance)
    return interpolate(fine, size=(IMAGE_SIZE, IMAGE_SIZE), mode="bilinear", antialias=True)


@torch.no_grad()
def render(scenes: Sequence[Scene], device: torch.device | str = "cpu") -> Tensor:
    """Pictures of scenes: uint8 (N, 3, 64, 64), sRGB."""
    pictures = []
    size = batch_size(device)
    for start in range(0, len(scenes), size):
        small = shrink(trace(scenes[start : start + size], torch.device(device)))
        pictures.append((small * 255).round().to(torch.uint8).cpu())
    return torch.cat(pictures) if pictures else torch.empty((0, 3, IMAGE_SIZE, IMAGE_SIZE), dtype=torch.uint8)
