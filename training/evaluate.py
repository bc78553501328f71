"""Score a checkpoint: `python -m training.evaluate --checkpoint checkpoints/default --spec FILE --seeds 5 --json OUT`.

Each spec file (a list of label lists, the lab's test.json format) is drawn once a seed and judged by the evaluator. The
figures are means over the seeds, with a standard error; nothing here chooses anything. With --renders FOLDER the
evaluator also judges rendered pictures, which are right by definition: no drawing can expect to be read better.
`exact_match` asks for exactly the requested objects, each once, where the evaluator can count; `exact_match_labels` is
the share by labels alone, to which an object drawn twice looks right.

Under `torchrun --nproc-per-node N -m training.evaluate ...` or `accelerate launch`, N processes share the drawing; the
figures stay the same.

With --images OUT the first seed's pictures are kept as the lab's hand-in asks for them: OUT/SPEC/0.png, 1.png, ..., a
grid of 8 columns OUT/SPEC.png for each spec, the denoising of one scene, OUT/denoising.png, and the scores.

With --evaluator-guidance SCALE the evaluator steers the drawing that it judges; docs/QUALITY.md says what that buys.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from ddpm import Evaluator, Pipeline, labels, terminal
from ddpm.evaluator_guidance import EvaluatorGuidance
from ddpm.samplers import SAMPLERS
from ddpm.scores import judge, table
from training.loop import dataset, processes
from training.measures.drawing import draw, make_folder, save_images
from training.measures.reports import make_place

STRIP = "denoising"
DENOISING_SCENE = ["red sphere", "cyan cylinder", "cyan cube"]
"""The scene whose denoising the lab asks to be shown."""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", default="checkpoints/default", help="the model's folder")
    parser.add_argument("--spec", required=True, action="append", help="a file of label lists; may be given repeatedly")
    parser.add_argument("--seeds", type=int, default=5, help="how often each spec is drawn (default 5)")
    parser.add_argument("--evaluator", default="checkpoints/evaluator", help="its folder, or the lab's checkpoint.pth")
    parser.add_argument("--json", type=Path, help="where the figures go (default: OUT/scores.json, with --images)")
    parser.add_argument("--images", type=Path, metavar="OUT", help="a folder for the first seed's pictures and sheets")
    parser.add_argument("--renders", help="a rendered folder for the evaluator to judge, beside the drawn pictures")
    parser.add_argument("--sampler", choices=sorted(SAMPLERS), help="instead of the checkpoint's own")
    parser.add_argument("--steps", type=int, help="instead of the checkpoint's own")
    parser.add_argument("--guidance", type=float, help="instead of the checkpoint's own")
    parser.add_argument(
        "--evaluator-guidance", type=float, metavar="SCALE", help="let the evaluator steer the drawing (off by default)"
    )
    args = parser.parse_args(arguments)
    main_process = processes.is_main()
    out = args.json or (args.images / "scores.json" if args.images else None)
    if args.seeds < 1:
        parser.error("--seeds must be at least 1")

    try:  # everything is read and checked before the first picture is drawn
        specs = {path: labels.read_spec(path) for path in args.spec}
        evaluator = Evaluator.from_pretrained(args.evaluator, processes.device())
        pipe = Pipeline.from_pretrained(args.checkpoint, processes.device())
        if args.evaluator_guidance is not None:
            pipe = pipe.steered(EvaluatorGuidance(evaluator, args.evaluator_guidance))
        settings = pipe.settings(args.sampler, args.steps, args.guidance)
        renders = dataset.load_counts(args.renders) if args.renders else None
        if renders and (renders[1] > 1).any():
            raise ValueError(f"{args.renders} shows labels twice (render --repeats): exact match asks for each once")
        names = [Path(path).stem for path in specs]
        if args.images and len(set(names)) < len(names):
            raise ValueError(
                f"--images names its folders after the specs, and two are called {max(names, key=names.count)}"
            )
        if args.images and STRIP in names:
            raise ValueError(f"--images has a picture of its own called {STRIP}.png: give that spec another name")
        if args.images:
            for name, scenes in zip(names, specs.values(), strict=True):
                make_folder(args.images / name, len(scenes))
        if out:
            make_place(out)
        if empty := [path for path, scenes in specs.items() if not scenes]:
            raise ValueError(f"{empty[0]} holds no scene")
    except (OSError, ValueError) as error:
        parser.error(str(error))

    results = []
    for path, scenes in specs.items():
        images, seconds = draw(pipe, scenes, args.seeds, settings)
        if not main_process:
            continue
        if args.images:
            save_images(images[0], args.images / Path(path).stem)
        figures = judge(evaluator, images, scenes)
        seconds_per_image = round(seconds / (args.seeds * len(scenes)), 5)
        steered = {} if args.evaluator_guidance is None else {"evaluator_guidance": args.evaluator_guidance}
        results.append({"spec": path, **figures, "seconds_per_image": seconds_per_image, **asdict(settings), **steered})

    if not main_process:
        return
    report = {"checkpoint": args.checkpoint, "evaluator": args.evaluator, "device": str(pipe.device), "specs": results}
    if renders is not None:
        images, counts = renders
        scenes = [labels.decode(row) for row in counts]
        report["renders"] = {"data": args.renders, **judge(evaluator, dataset.to_float(images)[None], scenes)}
    if args.images:
        pipe.trajectory([DENOISING_SCENE], **asdict(settings)).save_strip(args.images / f"{STRIP}.png")
    if out:
        out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(table(results))


if __name__ == "__main__":
    terminal.run(main)
