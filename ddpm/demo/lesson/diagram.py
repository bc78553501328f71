"""A network as a picture: its blocks from left to right or from top to bottom, deeper where the resolution is lower.

Everything is read from the network itself, by sending tensors without data through it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from ddpm.checkpoint import ModelConfig
from ddpm.demo.texts import TEXTS
from ddpm.labels import NUM_LABELS
from ddpm.networks import build
from ddpm.networks.context_unet import ContextUNet
from ddpm.networks.staged import Staged

Shape = tuple[int, ...]

PICTURE: Shape = (3, 64, 64)
BOX = (116, 76)  # width and height of a block
GAP = 22
TALL = 208  # how far the deepest level of a tall drawing stands to the right


@dataclass(frozen=True)
class Block:
    """Modules that follow each other under one name.

    source, shape: (C, H, W) of what goes in and comes out. vector, tokens: whether it is conditioned on time and
    labels, and whether it attends to the labels. skip: the index of an earlier block whose features join the input,
    or None.
    """

    name: str
    count: int
    source: Shape
    shape: Shape
    vector: bool = False
    tokens: bool = False
    skip: int | None = None


def blocks(config: ModelConfig) -> list[Block]:
    """Return the blocks of the network that a config describes, in the order in which they run.

    Of several networks that share the way, those of the one for the noisy end.
    """
    with torch.device("meta"):
        network = build(config.network, config.options)
        if isinstance(network, Staged):
            network = network.stages[-1]
        arguments = torch.empty(1, *PICTURE), torch.empty(1), torch.empty(1, NUM_LABELS)
    calls: list[Block] = []
    for name, child in network.named_children():
        for part in child if isinstance(child, nn.ModuleList) else [child]:
            part.register_forward_hook(_note(name, calls))
    network.eval()(*arguments)

    at = conditioned_at(network)
    found: list[Block] = []
    for block in calls:
        last = found[-1] if found else None
        if len(block.shape) != 3 or 1 in block.shape[1:]:
            continue  # an embedding of time or labels
        if last and block.name != last.name and block.tokens:
            found[-1] = replace(last, tokens=True)  # attention after each block of the same level
        elif last and block.name == last.name and block.source == block.shape == last.shape:
            found[-1] = replace(last, count=last.count + 1)
        else:
            found.append(replace(block, vector=block.vector or block.name == at, skip=_skip(block, found)))
    return found


def conditioned_at(network: nn.Module) -> str | None:
    """Name the blocks whose input the report's network multiplies by labels and shifts by time, outside of them."""
    if not isinstance(network, ContextUNet) or not len(network.labels) + len(network.times):
        return None
    return "ups" if network.fusion == "up" else "downs"


def _note(name: str, calls: list[Block]) -> Any:
    def hook(_module: nn.Module, inputs: tuple[Tensor, ...], output: Any) -> None:
        shape = tuple(output.shape[1:]) if isinstance(output, Tensor) else ()
        extra = [value.ndim for value in inputs[1:]] if len(shape) == 3 else []
        calls.append(Block(name, 1, tuple(inputs[0].shape[1:]), shape, vector=2 in extra, tokens=3 in extra))

    return hook


def _skip(block: Block, before: list[Block]) -> int | None:
    """Find where more channels go in than the block before gives."""
    if not before or block.source[1:] != before[-1].shape[1:]:
        return None
    missing = (block.source[0] - before[-1].shape[0], *block.source[1:])
    return next((i for i in reversed(range(len(before) - 1)) if before[i].shape == missing), None)


def draw(config: ModelConfig, wide: bool) -> str:
    """Return the network as an SVG, `wide` running from left to right and otherwise from top to bottom."""
    inner = blocks(config)
    nodes = [Block("picture", 1, PICTURE, PICTURE)]
    if inner[0].source != PICTURE:
        nodes.append(Block("patches", 1, PICTURE, inner[0].source))
    first = len(nodes)
    nodes += [replace(block, skip=None if block.skip is None else block.skip + first) for block in inner]
    if inner[-1].shape != PICTURE:
        nodes.append(Block("result", 1, inner[-1].shape, PICTURE))

    sizes = sorted({node.shape[1] for node in nodes}, reverse=True)
    step = min(104, TALL // max(len(sizes) - 1, 1))
    boxes = [_box(i, sizes.index(node.shape[1]), step, wide) for i, node in enumerate(nodes)]
    width = max(x for x, _ in boxes) + BOX[0] + 2
    height = max(y for _, y in boxes) + BOX[1] + 2
    parts = [_arrow(a, b, wide) for a, b in pairwise(boxes)]
    parts += [
        _skip_arrow(boxes[node.skip], box, wide)
        for node, box in zip(nodes, boxes, strict=True)
        if node.skip is not None
    ]
    parts += [_node(node, box) for node, box in zip(nodes, boxes, strict=True)]
    kind = _kind(wide)
    return (
        f'<svg class="network {kind}" viewBox="0 0 {width} {height}" role="img" data-text-aria="lesson.network_alt">'
        f'<defs><marker id="tip-{kind}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        f'orient="auto"><path d="M0 0 8 4 0 8z"/></marker></defs>{"".join(parts)}</svg>'
    )


def _kind(wide: bool) -> str:
    return "wide" if wide else "tall"


def _box(index: int, level: int, step: int, wide: bool) -> tuple[int, int]:
    """Return the upper left corner of a block's box; a tall drawing goes `step` to the right for each level."""
    if wide:
        return 1 + index * (BOX[0] + GAP), 21 + level * (BOX[1] + GAP)
    return 17 + level * step, 1 + index * (BOX[1] + GAP)


def _node(node: Block, box: tuple[int, int]) -> str:
    x, y = box
    middle = x + BOX[0] / 2
    key = f"lesson.block_{node.name}"
    name = f'data-text="{key}"' if key in TEXTS["en"] else ""
    number = f"{node.count} × " if node.count > 1 else ""
    shape = " × ".join(map(str, node.shape))
    text = (
        f'<g class="block"><rect x="{x}" y="{y}" width="{BOX[0]}" height="{BOX[1]}" rx="10"/>'
        f'<text x="{middle}" y="{y + 24}" class="name">{number}<tspan {name}>{node.name}</tspan></text>'
        f'<text x="{middle}" y="{y + 43}" class="shape">{shape}</text>'
    )
    badges = [badge for badge, shown in (("vector", node.vector), ("tokens", node.tokens)) if shown]
    for i, badge in enumerate(badges):
        left = middle - 9 * len(badges) + 18 * i
        text += f'<rect class="{badge}" x="{left + 2}" y="{y + 54}" width="14" height="14" rx="4"/>'
    return text + "</g>"


def _arrow(a: tuple[int, int], b: tuple[int, int], wide: bool) -> str:
    """Draw the way from one box to the next: straight, or around one corner into another level."""
    across, down = BOX
    if wide:
        turn = a[0] + across + GAP / 2 - 2
        path = f"M{a[0] + across} {a[1] + down / 2}H{turn}V{b[1] + down / 2}H{b[0] - 1}"
    else:
        turn = a[1] + down + GAP / 2 - 2
        path = f"M{a[0] + across / 2} {a[1] + down}V{turn}H{b[0] + across / 2}V{b[1] - 1}"
    return f'<path class="way" d="{path}" marker-end="url(#tip-{_kind(wide)})"/>'


def _skip_arrow(a: tuple[int, int], b: tuple[int, int], wide: bool) -> str:
    """Draw the shortcut from one box to another of the same level, past what lies between."""
    across, down = BOX
    if wide:
        path = f"M{a[0] + across / 2} {a[1]}V{a[1] - 11}H{b[0] + across / 2}V{b[1] - 1}"
    else:
        path = f"M{a[0]} {a[1] + down / 2}H{a[0] - 14}V{b[1] + down / 2}H{b[0] - 1}"
    return f'<path class="way skip" d="{path}" marker-end="url(#tip-{_kind(wide)})"/>'
