"""Draw a spec of our own, in the lab's format.

    python -m training.specs --seed 1 --counts 1 2 3 --each 16 --out FILE
    python -m training.specs --pairs held-out --out FILE

A spec is a list of label sets. Settings such as guidance are chosen on such a file, never on the lab's test files.
The second form gives every pair of labels that the preset "held-out" never sees together, and `--pairs seen` as many of
the other pairs.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from ddpm import terminal
from ddpm.labels import MAX_OBJECTS, check
from training.loop.pairs import HELD_OUT, SEEN
from training.measures.reports import make_place
from training.scene.placement import random_labels


def draw_spec(seed: int, counts: list[int], each: int) -> list[list[str]]:
    """`each` label sets with counts[0] objects, then as many with counts[1], ...."""
    rng = np.random.default_rng(seed)
    return [list(check(random_labels(rng, count))) for count in counts for _ in range(each)]


def draw_pairs(kind: str, seed: int) -> list[list[str]]:
    """All pairs of HELD_OUT, for "held-out"; or for "seen" as many of the others, chosen at random."""
    if kind == "held-out":
        return [list(pair) for pair in HELD_OUT]
    chosen = np.random.default_rng(seed).permutation(len(SEEN))[: len(HELD_OUT)]
    return [list(SEEN[i]) for i in chosen]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Draw random label sets for measuring.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--counts", type=int, nargs="+", choices=range(MAX_OBJECTS + 1), default=[1, 2, 3])
    parser.add_argument("--each", type=int, default=16, help="label sets of each count")
    parser.add_argument("--pairs", choices=["held-out", "seen"], help="pairs of labels, in place of random label sets")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(arguments)
    if args.each < 1 or args.seed < 0:
        parser.error(f"--each must be at least 1 and --seed at least 0, got {args.each} and {args.seed}")
    scenes = draw_pairs(args.pairs, args.seed) if args.pairs else draw_spec(args.seed, args.counts, args.each)
    lines = ",\n ".join(json.dumps(labels) for labels in scenes)
    try:
        make_place(args.out)
        args.out.write_text(f"[{lines}]\n", encoding="utf-8")
    except OSError as error:
        parser.error(str(error))


if __name__ == "__main__":
    terminal.run(main)
