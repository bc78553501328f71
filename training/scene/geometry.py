"""Where rays meet the scene: camera, backdrop, spheres, cubes and cylinders, all in torch.

Vectors are kept as (3, ...) tensors (x, y, z first), so that each component is one contiguous block.
World: right-handed, z up, the ground at z = 0.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ddpm.labels import SHAPES
from training.scene.placement import OBJECT_SIZE, Scene

CAMERA_POSITION = (7.4811, -6.5076, 5.3437)
CAMERA_RIGHT = (0.6563, 0.7545, 0.0)
CAMERA_UP = (-0.3579, 0.3114, 0.8803)
CAMERA_BACKWARD = (0.6642, -0.5778, 0.4744)
FOCAL_LENGTH, SENSOR_WIDTH, SENSOR_HEIGHT = 35.0, 32.0, 24.0  # mm; the picture is 4:3

# The backdrop: a profile (distance along BACKDROP_RISE, height), swept at a right angle to it.
BACKDROP_RISE = (-0.9032, 0.4292)
# fmt: off
BACKDROP_PROFILE = (
    (-9.54, 0.0), (-1.05, 0.0), (0.35, 0.01), (1.67, 0.01), (2.9, 0.02), (4.05, 0.03), (5.12, 0.05), (6.12, 0.07),
    (7.04, 0.1), (7.91, 0.14), (8.71, 0.18), (9.46, 0.24), (10.13, 0.31), (10.77, 0.4), (11.35, 0.5), (11.89, 0.62),
    (12.39, 0.76), (12.84, 0.93), (13.25, 1.11), (13.64, 1.33), (13.98, 1.58), (14.31, 1.86), (14.6, 2.17),
    (14.87, 2.53), (15.12, 2.92), (15.35, 3.36), (15.56, 3.85), (15.75, 4.39), (15.93, 4.99), (16.1, 5.64),
    (16.26, 6.36), (16.41, 7.14), (16.55, 7.99), (16.7, 8.92), (16.83, 9.92), (16.96, 11.01), (17.1, 12.18),
    (17.23, 13.44), (17.36, 14.8), (17.5, 16.26), (17.64, 17.83), (17.78, 19.51), (17.94, 21.3), (18.09, 23.21),
)
# fmt: on
EDGE_RADIUS = 0.03  # cubes and cylinders have slightly rounded edges (in their normals; the outline stays sharp)

SPHERE, CUBE, CYLINDER = SHAPES.index("sphere"), SHAPES.index("cube"), SHAPES.index("cylinder")


@dataclass(frozen=True)
class Objects:
    """All P objects of a batch of B scenes, sorted by shape.

    scene (P,): which scene; shape, color (P,): indices; center (3, P); cos, sin (P,): of the rotation about z.
    """

    scene: Tensor
    shape: Tensor
    color: Tensor
    center: Tensor
    cos: Tensor
    sin: Tensor

    @classmethod
    def of(cls, scenes: Sequence[Scene], device: torch.device) -> Objects:
        """Flatten the objects of all scenes."""
        rows = sorted(((o.shape, i, o) for i, scene in enumerate(scenes) for o in scene.objects), key=lambda r: r[:2])
        theta = torch.tensor([o.theta for _, _, o in rows], device=device)
        xyz = [(o.x, o.y, OBJECT_SIZE) for _, _, o in rows]
        return cls(
            scene=torch.tensor([i for _, i, _ in rows], dtype=torch.long, device=device),
            shape=torch.tensor([s for s, _, _ in rows], dtype=torch.long, device=device),
            color=torch.tensor([o.color for _, _, o in rows], dtype=torch.long, device=device),
            center=torch.tensor(xyz, device=device).reshape(-1, 3).T.contiguous(),
            cos=theta.cos(),
            sin=theta.sin(),
        )

    def to_local(self, v: Tensor) -> Tensor:
        """Rotate world vectors (3, P, R) into each object's frame."""
        c, s = self.cos[:, None], self.sin[:, None]
        return torch.stack([c * v[0] + s * v[1], c * v[1] - s * v[0], v[2].expand(len(c), -1)])

    def to_world(self, v: Tensor) -> Tensor:
        """Inverse of `to_local`."""
        c, s = self.cos[:, None], self.sin[:, None]
        return torch.stack([c * v[0] - s * v[1], c * v[1] + s * v[0], v[2]])

    def intervals(self, origin: Tensor, direction: Tensor) -> tuple[Tensor, Tensor]:
        """Where each ray enters and leaves each object: (near, far), both (P, R); near > far where it misses.

        origin, direction: (3, P, R) or (3, P, 1), in the objects' frames; units are the direction's length.
        """
        parts = []
        counts = torch.bincount(self.shape, minlength=len(SHAPES)).tolist()
        start = 0
        for shape, count in enumerate(counts):
            rows = slice(start, start + count)
            start += count
            if count:
                parts.append(_INTERVALS[shape](origin[:, rows], direction[:, rows]))
        return torch.cat([p[0] for p in parts]), torch.cat([p[1] for p in parts])

    def normals_at(self, point: Tensor) -> Tensor:
        """Outward normals (3, P) at one surface point of each object, both in the world's frame."""
        local = self.to_local((point - self.center)[:, :, None])  # (3, P, 1)
        inner = OBJECT_SIZE - EDGE_RADIUS
        # Rounded edges: the gradient of the distance to the shape shrunk by the edge radius.
        box = local - local.clamp(-inner, inner)
        radius = torch.hypot(local[0], local[1]).clamp_min(1e-6)
        side = (radius - inner).clamp_min(0) / radius
        can = torch.stack([local[0] * side, local[1] * side, local[2] - local[2].clamp(-inner, inner)])
        shape = self.shape[:, None]
        normal = torch.where(shape == SPHERE, local, torch.where(shape == CUBE, box, can))
        return self.to_world(normal / normal.norm(dim=0).clamp_min(1e-6))[:, :, 0]


def _slab(origin: Tensor, direction: Tensor) -> tuple[Tensor, Tensor]:
    inverse = 1 / torch.where(direction.abs() < 1e-9, 1e-9, direction)
    a, b = (-OBJECT_SIZE - origin) * inverse, (OBJECT_SIZE - origin) * inverse
    return torch.minimum(a, b), torch.maximum(a, b)


def _quadratic(o: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
    # |o + t d| = OBJECT_SIZE, over the components given: all three for a sphere, x and y for a cylinder
    a = (d * d).sum(0).clamp_min(1e-12)
    b = (o * d).sum(0)
    discriminant = b * b - a * ((o * o).sum(0) - OBJECT_SIZE**2)
    root = discriminant.clamp_min(0).sqrt()
    miss = torch.where(discriminant < 0, torch.inf, 0.0)
    return (-b - root) / a + miss, (-b + root) / a - miss


def _cube(o: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
    (ax, bx), (ay, by), (az, bz) = (_slab(o[i], d[i]) for i in range(3))
    return torch.maximum(torch.maximum(ax, ay), az), torch.minimum(torch.minimum(bx, by), bz)


def _cylinder(o: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
    (ar, br), (az, bz) = _quadratic(o[:2], d[:2]), _slab(o[2], d[2])
    return torch.maximum(ar, az), torch.minimum(br, bz)


_INTERVALS = {SPHERE: _quadratic, CUBE: _cube, CYLINDER: _cylinder}


@functools.lru_cache(maxsize=4)
def camera_rays(samples: int, device: torch.device) -> Tensor:
    """Unit directions (3, samples * samples) through a grid over the 4:3 picture, row by row, jittered."""
    jitter = torch.rand((2, samples, samples), generator=torch.Generator().manual_seed(0))
    cells = torch.arange(samples)
    x = (cells[None, :] + jitter[0]) / samples * 2 - 1  # (samples, samples), left to right
    y = 1 - (cells[:, None] + jitter[1]) / samples * 2  # top to bottom
    axes = torch.tensor([CAMERA_RIGHT, CAMERA_UP, CAMERA_BACKWARD])
    film = torch.stack([x * SENSOR_WIDTH / 2, y * SENSOR_HEIGHT / 2, torch.full_like(x, -FOCAL_LENGTH)])
    direction = torch.einsum("kc,kr->cr", axes, film.flatten(1))
    return (direction / direction.norm(dim=0)).to(device)


@functools.lru_cache(maxsize=4)
def backdrop_hits(samples: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Distance (R,) along each camera ray to the backdrop (inf where it misses) and the normal (3, R) there."""
    direction = camera_rays(samples, torch.device("cpu")).double()
    rise = torch.tensor(BACKDROP_RISE, dtype=torch.float64)
    origin = torch.tensor(CAMERA_POSITION, dtype=torch.float64)
    u0, h0 = rise @ origin[:2], origin[2]
    du, dh = rise @ direction[:2], direction[2]  # (R,)
    profile = torch.tensor(BACKDROP_PROFILE, dtype=torch.float64)
    start, step = profile[:-1, :, None], profile.diff(dim=0)[:, :, None]  # (K, 2, 1)
    # origin + t * direction = start + s * step, in the plane of the profile
    determinant = dh * step[:, 0] - du * step[:, 1]
    t = ((u0 - start[:, 0]) * step[:, 1] - (h0 - start[:, 1]) * step[:, 0]) / determinant  # (K, R)
    s = ((u0 - start[:, 0]) * dh - (h0 - start[:, 1]) * du) / determinant
    t = torch.where((s >= 0) & (s <= 1) & (t > 0), t, torch.inf)
    distance, segment = t.min(dim=0)
    # Normals of the segments, averaged at their ends, interpolated between
    normals = torch.stack([-step[:, 1, 0], step[:, 0, 0]])
    normals = normals / normals.norm(dim=0)
    ends = torch.cat([normals[:, :1], (normals[:, 1:] + normals[:, :-1]) / 2, normals[:, -1:]], dim=1)
    along = s.gather(0, segment[None])[0].clamp(0, 1)
    n = ends[:, segment] * (1 - along) + ends[:, segment + 1] * along
    normal = torch.stack([rise[0] * n[0], rise[1] * n[0], n[1]])
    return distance.float().to(device), (normal / normal.norm(dim=0)).float().to(device)
