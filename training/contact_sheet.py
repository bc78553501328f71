"""Our renderer beside a path tracer: `python -m training.contact_sheet --reference FOLDER --out docs/renderer.png`.

FOLDER holds scenes.json and frames/, the same scenes path-traced. Shown are scenes that no constant was fitted on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from ddpm import IMAGE_SIZE, terminal
from ddpm.pictures import open_picture
from training.measures.reports import make_place
from training.scene.placement import read_scenes, sequence_of
from training.scene.tracer import render

COLUMNS = 8
DIFFERENCE_GAIN = 8


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Draw our pictures and path-traced ones of the same scenes.")
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(arguments)
    # Odd sequences were not used for fitting; the last picture of a sequence has most objects
    try:
        scenes = read_scenes(args.reference / "scenes.json")
        held_out = {name: scene for name, scene in scenes.items() if sequence_of(name) % 2}
        names = [name for name, scene in held_out.items() if len(scene.objects) == 4][:COLUMNS]
        if not names:
            raise ValueError(f"{args.reference}: no scene of an odd sequence has four objects")
        frames = [open_picture(args.reference / "frames" / name) for name in names]
        make_place(args.out)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    ours = render([held_out[name] for name in names]).permute(0, 2, 3, 1).numpy()
    truth = np.stack([np.asarray(f.resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BILINEAR)) for f in frames])
    difference = np.clip(128 + DIFFERENCE_GAIN * (ours.astype(int) - truth), 0, 255).astype(np.uint8)
    rows = {"ours": ours, "path-traced": truth, f"difference x {DIFFERENCE_GAIN}": difference}
    figure, axes = plt.subplots(
        len(rows), len(names), figsize=(len(names) * 1.3, len(rows) * 1.36), dpi=150, squeeze=False
    )
    for row, (title, pictures) in zip(axes, rows.items(), strict=True):
        row[0].set_ylabel(title)
        for axis, picture in zip(row, pictures, strict=True):
            axis.imshow(picture, interpolation="nearest", aspect=3 / 4)
            axis.set(xticks=[], yticks=[])
    figure.tight_layout(pad=0.3)
    figure.savefig(args.out)


if __name__ == "__main__":
    terminal.run(main)
