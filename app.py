"""The page: tick objects, press Generate, and watch a scene come out of noise.

python app.py [--checkpoint FOLDER]    serves it on http://127.0.0.1:7860, or on the port that PORT names.
"""

import argparse
import os
from pathlib import Path

import gradio as gr

from ddpm import Evaluator, Pipeline
from ddpm.demo import picker, settings
from ddpm.demo.api import add_endpoints
from ddpm.demo.handlers import MODEL_QUEUE, Studio
from ddpm.demo.stage import FAILED, STOPPED, WAITING, stage
from ddpm.demo.theme import LAUNCH, asset

CHECKPOINTS = Path(__file__).parent / "checkpoints"


def build_demo(pipeline: Pipeline, evaluator: Evaluator) -> gr.Blocks:
    """Lay out the page around the model that draws and the one that judges, and connect it."""
    studio = Studio(pipeline, evaluator)
    first_example = picker.EXAMPLES[0]

    with gr.Blocks(title="Watch a scene come out of noise", analytics_enabled=False, delete_cache=(3600, 3600)) as demo:
        gr.HTML(asset("intro.html"), apply_default_css=False, elem_id="intro")

        with gr.Row(elem_id="bench"):
            with gr.Column(elem_id="picker"):
                gr.HTML("<h2>What should be in the scene?</h2>", apply_default_css=False)
                rows = picker.shape_rows(first_example)
                scene = picker.selection(first_example)
                with gr.Row(elem_id="actions"):
                    generate = gr.Button("Generate", variant="primary", elem_id="generate")
                    stop = gr.Button("Stop", interactive=False, elem_id="stop")
                    clear = gr.Button("Clear", elem_id="clear")
                examples = picker.examples()

            screen = stage(studio.preview(first_example))

            with gr.Column(elem_id="settings"):
                gr.HTML("<h2>How should it be drawn?</h2>", apply_default_css=False)
                with gr.Row(elem_id="seed"):
                    seed = settings.seed_number()
                    dice = gr.Button("Random seed", elem_id="dice")
                sampler = settings.sampler_choice(pipeline.config)
                steps = settings.steps_choice(pipeline.config)
                guidance = settings.guidance_slider(pipeline.config)

        # What the browser does by itself.
        gr.on([row.change for row in rows], None, rows, scene, js=picker.COLLECT)
        clear.click(None, None, rows, js=picker.CLEAR)
        examples.click(None, examples, rows, js=picker.SPREAD)
        dice.click(None, None, seed, js=settings.DICE)

        # What the models do.
        generate.click(None, seed, js=picker.ASK)
        scene.submit(None, None, screen, js=WAITING)
        run = scene.submit(
            studio.run,
            [scene, seed, sampler, steps, guidance],
            screen,
            validator=studio.validate,
            trigger_mode="multiple",
            show_progress="hidden",
            api_visibility="private",
            **MODEL_QUEUE,
        )
        run.failure(None, None, screen, js=FAILED)
        stop.click(None, None, screen, js=STOPPED, cancels=run)
        add_endpoints(demo, studio)

    return demo.queue(max_size=32)


def main() -> None:
    """Load the models and serve the page."""
    parser = argparse.ArgumentParser(description="Serve the page.")
    parser.add_argument(
        "--checkpoint", default=CHECKPOINTS / "default", metavar="FOLDER", help="the model that draws (%(default)s)"
    )
    arguments = parser.parse_args()
    port = os.environ.get("PORT", "")
    if port and not port.isdecimal():
        parser.error(f"PORT must be a number, not {port!r}")
    try:
        pipeline = Pipeline.from_pretrained(arguments.checkpoint)
        evaluator = Evaluator.from_pretrained(CHECKPOINTS / "evaluator")
    except (OSError, ValueError) as error:
        parser.error(str(error))
    build_demo(pipeline, evaluator).launch(server_port=int(port) if port else None, **LAUNCH)


if __name__ == "__main__":
    main()
