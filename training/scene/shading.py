"""How surfaces look: lamps, the rubber material, and light that bounces once.

The figures of the lamps and of the material are those of the i-CLEVR set-up; the constants of the bounced light were
fitted to path-traced pictures (`training.fit_bounce`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from training.scene.geometry import Objects

# Linear reflectance of the eight colors, in the order of ddpm.labels.COLORS, in 1/255.
COLOR_REFLECTANCE = (
    (87, 87, 87),
    (173, 35, 35),
    (42, 75, 215),
    (29, 105, 20),
    (129, 74, 25),
    (129, 38, 192),
    (41, 208, 208),
    (255, 238, 51),
)
GROUND_REFLECTANCE = 0.8
VELVET_SIGMA = 0.6
GLOSSY_ALPHA = 0.35
GLOSSY_REFLECTANCE = 0.8
GLOSSY_IOR, VELVET_IOR = 1.2, 1.4

# Radius of the sphere as large as each shape, in the order of ddpm.labels.SHAPES.
EQUIVALENT_RADIUS = (0.71, 0.575, 0.66)


@dataclass(frozen=True)
class Bounce:
    """Light that bounces once: irradiances in the unit of the lamps' irradiance."""

    above: float = 0.062  # irradiance from above
    below: float = 0.59  # and from below, which objects alone receive
    bleed: float = 0.514  # what an object adds to the irradiance of the ground that sees it, times its color
    occlusion: float = 0.142  # and what it hides
    mirrored: float = 0.229  # radiance of the ground as objects mirror it


BOUNCE = Bounce()


@dataclass(frozen=True)
class Lamp:
    """A square, one-sided, Lambertian lamp aimed at the origin: position, side, radiance * area, linear color.

    `falloff` is False for the sun, which stands so far away that only its direction and its angular size count.
    """

    position: tuple[float, float, float]
    side: float
    strength: float
    color: tuple[float, float, float]
    falloff: bool = True

    def illuminate(self, point: Tensor, center: Tensor) -> tuple[Tensor, Tensor]:
        """Unit direction to the lamp and the irradiance it sends at a right angle, unshadowed.

        point (3, ...), center: where the lamp is, broadcastable to point.
        """
        to_lamp = center - point
        squared = dot(to_lamp, to_lamp)
        light = to_lamp * squared.rsqrt()
        if not self.falloff:
            return light, torch.full_like(squared, self.strength)
        return light, self.strength * dot(light, normalize(center)).clamp_min(0) / squared


_SUN_DISTANCE = 1000.0
_SUN_DIRECTION = (0.4145, -0.1946, 0.889)  # towards the sun

LAMPS = (
    Lamp((6.4467, -2.9052, 4.2584), 0.5, 100 / 4, (1.0, 0.9323, 0.8167)),  # key
    Lamp((-4.6711, -4.0136, 3.0112), 0.5, 30 / 4, (0.7617, 0.8177, 1.0)),  # fill
    Lamp((-1.1685, 2.646, 5.8157), 1.0, 50 / 4, (1.0, 1.0, 1.0)),  # back
    Lamp(
        tuple(_SUN_DISTANCE * v for v in _SUN_DIRECTION),  # type: ignore[arg-type]
        0.199 * _SUN_DISTANCE * math.sqrt(math.pi) / 2,  # the square as large as the disc
        0.45,
        (1.0, 1.0, 1.0),
        falloff=False,
    ),
)


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Scalar product over the leading dimension of (3, ...)."""
    return (a * b).sum(0)


def normalize(v: Tensor) -> Tensor:
    """Unit vectors along the leading dimension of (3, ...)."""
    return v / v.norm(dim=0).clamp_min(1e-9)


def fresnel(cosine: Tensor, ior: float) -> Tensor:
    """Unpolarised dielectric Fresnel reflectance at a cosine of incidence."""
    g = (ior * ior - 1 + cosine * cosine).sqrt()
    a = (g - cosine) / (g + cosine)
    b = (cosine * (g + cosine) - 1) / (cosine * (g - cosine) + 1)
    return 0.5 * a * a * (1 + b * b)


def velvet(n_in: Tensor, n_out: Tensor, n_half: Tensor, out_half: Tensor) -> Tensor:
    """Ashikhmin's velvet BRDF times the cosine of the incoming light, for unit color.

    The arguments are cosines between the normal, the directions in and out, and the half vector
    (Ashikhmin, Premoze, Shirley 2000, "A microfacet-based BRDF generator", section 5).
    """
    sin2 = (1 - n_half * n_half).clamp_min(1e-5)
    inverse = 1 / VELVET_SIGMA**2
    density = (-(n_half * n_half) / sin2 * inverse).exp() * inverse / (math.pi * sin2 * sin2)
    ratio = 2 * n_half / out_half.clamp_min(1e-5)
    shadowing = torch.minimum(ratio * n_out, ratio * n_in).clamp_max(1)
    return 0.25 * density * shadowing / n_out.clamp_min(1e-3)


def beckmann(n_in: Tensor, n_out: Tensor, n_half: Tensor) -> Tensor:
    """Beckmann microfacet reflection times the cosine of the incoming light, for unit reflectance.

    Walter et al. 2007, "Microfacet models for refraction", equations 20 and 25-27.
    """
    cos2 = (n_half * n_half).clamp_min(1e-4)
    alpha2 = GLOSSY_ALPHA**2
    density = (-(1 - cos2) / cos2 / alpha2).exp() / (math.pi * alpha2 * cos2 * cos2)

    def smith(cosine: Tensor) -> Tensor:
        a = cosine / (GLOSSY_ALPHA * (1 - cosine * cosine).clamp_min(1e-6).sqrt())
        return torch.where(a < 1.6, (3.535 * a + 2.181 * a * a) / (1 + 2.276 * a + 2.577 * a * a), 1.0)

    return density * smith(n_in) * smith(n_out) / (4 * n_out.clamp_min(1e-3))


def rubber(color: Tensor, normal: Tensor, view: Tensor, light: Tensor) -> Tensor:
    """The objects' material: radiance (3, Q) towards `view` for unit irradiance from `light` (all unit, (3, Q)).

    (1 - F1) [(1 - F2) Lambert + F2 velvet] + F1 glossy, F1 and F2 by the angle of view.
    """
    n_in, n_out = dot(normal, light).clamp_min(0), dot(normal, view).clamp(1e-3, 1)
    half = normalize(light + view)
    n_half, out_half = dot(normal, half).clamp(0, 1 - 1e-5), dot(view, half)
    f1, f2 = fresnel(n_out, GLOSSY_IOR), fresnel(n_out, VELVET_IOR)
    body = (1 - f2) * n_in / math.pi + f2 * velvet(n_in, n_out, n_half, out_half)
    shine = f1 * GLOSSY_REFLECTANCE * beckmann(n_in, n_out, n_half)
    return torch.where(n_in > 0, (1 - f1) * body * color + shine, 0.0)


def reflectance(device: torch.device) -> Tensor:
    """The eight colors as linear reflectances (8, 3)."""
    return torch.tensor(COLOR_REFLECTANCE, device=device) / 255


def ground_bounce(point: Tensor, normal: Tensor, objects: Objects, bounce: Bounce = BOUNCE) -> Tensor:
    """Indirect irradiance (3, B, R) at points (3, B, R) of the backdrop, with the color that objects bleed onto it.

    Each object counts as a sphere of its size: form factor cos(theta) r^2 / d^2.
    """
    light = torch.full_like(point, bounce.above)
    colors = reflectance(point.device)[objects.color]
    for k, (i, shape) in enumerate(zip(objects.scene.tolist(), objects.shape.tolist(), strict=True)):
        to_object = objects.center[:, k, None] - point[:, i]
        squared = dot(to_object, to_object)
        factor = (dot(normal[:, i], to_object) * squared.rsqrt()).clamp_min(0) * EQUIVALENT_RADIUS[shape] ** 2 / squared
        light[:, i] += factor.clamp_max(1) * (bounce.bleed * colors[k][:, None] - bounce.occlusion)
    return light


def rubber_bounce(color: Tensor, normal: Tensor, view: Tensor, bounce: Bounce = BOUNCE) -> Tensor:
    """Indirect radiance (3, Q) of objects: light from above and below, and the ground mirrored at grazing angles."""
    below = (1 - normal[2]) / 2
    irradiance = bounce.below * below + bounce.above * (1 - below)
    n_out = dot(normal, view).clamp(1e-3, 1)
    mirrored_down = (1 - (2 * n_out * normal[2] - view[2])) / 2
    f1 = fresnel(n_out, GLOSSY_IOR)
    return (1 - f1) * color * irradiance / math.pi + f1 * GLOSSY_REFLECTANCE * bounce.mirrored * mirrored_down


def to_srgb(linear: Tensor) -> Tensor:
    """Linear radiance, clipped to [0, 1], to sRGB in [0, 1] (IEC 61966-2-1)."""
    linear = linear.clamp(0, 1)
    return torch.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear.clamp_min(1e-8) ** (1 / 2.4) - 0.055)
