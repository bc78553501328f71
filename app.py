"""The page: tick objects, press Generate, and watch a scene come out of noise.

python app.py [--checkpoint FOLDER] [--host HOST] [--port PORT]    serves it on http://127.0.0.1:7860
python app.py --static FOLDER    writes it as files for any web server, with the models at work in the browser
"""

import signal

if __name__ == "__main__":
    # Ctrl-C ends the program as SIGTERM does, at once: while the libraries load, and while runs are under way, for
    # which the interpreter's own end would wait. Files are written whole or not at all.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import os
import time
from pathlib import Path

import gradio as gr
import torch

from ddpm import Evaluator, Pipeline, cores, terminal
from ddpm.counting import Look
from ddpm.demo.adapter.page import ask, asset, endpoint, refusing
from ddpm.demo.api.endpoints import add_endpoints
from ddpm.demo.compare.compare import compare_tab
from ddpm.demo.draw.stage import stage
from ddpm.demo.draw.studio import Judge, Studio
from ddpm.demo.edit.edit import edit_tab
from ddpm.demo.explore import Page
from ddpm.demo.gallery.gallery import gallery_part
from ddpm.demo.hosting import limits, place, zero
from ddpm.demo.lesson.lesson import lesson
from ddpm.demo.models import STUDENT, Models, draws_at_once
from ddpm.demo.picker import picker, settings
from ddpm.demo.share import share
from ddpm.demo.texts import TEXTS, element, text
from ddpm.demo.theme import launch_options
from ddpm.demo.walk.walk import walk_part

CHECKPOINTS = Path(__file__).parent / "checkpoints"
CACHE = Path(__file__).parent / "build" / "npm"
"""Where the packages of the page without a server are kept."""


def build_demo(
    pipeline: Pipeline,
    evaluator: Judge,
    glance: Judge | None = None,
    folder: Path | None = None,
    live: bool = False,
) -> gr.Blocks:
    """Lay out the page around the model that draws and the one that judges, and connect it.

    glance: see `Studio`. folder: where the model lies, with its measured figures if there are any. live: whether it
    draws at every change from the start.
    """
    first_example = picker.EXAMPLES[0]
    demo = gr.Blocks(title=TEXTS["en"]["page.title"], analytics_enabled=False, delete_cache=(3600, 3600))
    check = limits.leaving(demo)
    elsewhere = zero.lend(str(folder), check) if folder else None
    studio = Studio(pipeline, evaluator, glance, check, elsewhere, CHECKPOINTS)
    models = studio.models

    with demo:
        gr.HTML(asset("shared/intro.html"), apply_default_css=False, elem_id="intro")
        experiments = share.experiment_buttons()
        notice = share.link_notice()

        with gr.Row(elem_id="bench"):
            with gr.Column(elem_id="picker"):
                gr.HTML(element("h2", "picker.title"), apply_default_css=False)
                rows = picker.shape_rows(first_example)
                scene = picker.selection(first_example)
                with gr.Row(elem_id="actions"):
                    generate = gr.Button(
                        text("page.generate"), variant="primary", interactive=False, elem_id="generate"
                    )
                    gr.Button(text("page.stop"), interactive=False, elem_id="stop")
                    clear = gr.Button(text("page.clear"), elem_id="clear")
                switch = picker.live_switch(live)
                examples = picker.examples()

            with gr.Column(elem_id="settings"):
                gr.HTML(asset("picker/settings.html"), apply_default_css=False)
                presets = share.preset_buttons(models.configs)
                model = settings.model_choice(models)
                with gr.Row(elem_id="seed"):
                    seed = settings.seed_number()
                    dice = gr.Button(text("settings.dice"), elem_id="dice")
                sampler = settings.sampler_choice(pipeline.config)
                steps = settings.steps_choice(models.configs)
                guidance = settings.guidance_slider(pipeline.config)
                fields = [sampler, steps, guidance, model]
                chosen = dict(zip(("sampler", "steps", "guidance", "model"), fields, strict=True))

            with gr.Tabs(elem_id="views"):
                with gr.Tab(text("page.draw"), id="draw", elem_id="tab-draw"):
                    stage()
                    files = share.share_row()
                with gr.Tab(text("page.compare"), id="compare", elem_id="tab-compare"):
                    compare = compare_tab(studio, rows, scene, seed)
                with gr.Tab(text("edit.title"), id="edit", elem_id="tab-edit"):
                    edit = edit_tab(studio, seed, chosen)
                with gr.Tab(text("page.explore"), id="explore", elem_id="tab-explore"):
                    page = Page(studio, scene, seed, chosen)
                    with gr.Tabs(elem_id="explore"):
                        with gr.Tab(text("gallery.title"), id="gallery", elem_id="tab-gallery"):
                            gallery = gallery_part(page)
                        with gr.Tab(text("walk.title"), id="walk", elem_id="tab-walk"):
                            walk = walk_part(page)

        lesson(pipeline, folder)

        # What the browser does by itself.
        controls = share.Controls(rows, seed, chosen, [compare, edit, gallery, walk])
        inputs = [scene, seed, *fields]
        model.input(None, model, [sampler, steps, guidance], js=settings.suiting(models.configs))
        collected = gr.on([row.change for row in rows], None, rows, scene, js=picker.COLLECT)
        at_once = share.live(models.configs)
        collected.then(None, [switch, scene, seed], js=at_once)
        gr.on([switch.click, seed.change], None, [switch, scene, seed], js=at_once)
        clear.click(None, None, rows, js=picker.CLEAR)
        dice.click(None, None, seed, js=settings.DICE)

        # What the models do.
        endpoint("example", studio.example(first_example))
        endpoint("draw", refusing(studio.run))
        endpoint("where", studio.where)
        endpoint("apart", studio.apart)
        generate.click(None, inputs, js=ask("stage"))
        examples.click(None, examples, [*rows, scene], js=picker.SPREAD).then(None, inputs, js=ask("stage"))
        share.connect(demo, studio, files, notice, presets, experiments, controls, scene)
        add_endpoints(demo, studio)

    return demo.queue(max_size=limits.MAX_QUEUE, api_open=False)


def main(arguments: list[str] | None = None) -> None:
    """Load the models and serve the page."""
    parser = argparse.ArgumentParser(description="Serve the page.")
    parser.add_argument(
        "--checkpoint", default=CHECKPOINTS / "default", metavar="FOLDER", help="the model that draws (%(default)s)"
    )
    parser.add_argument(
        "--host",
        default=os.environ.get("GRADIO_SERVER_NAME", ""),
        help="the address to listen on, 0.0.0.0 for other machines too (default: GRADIO_SERVER_NAME, or 127.0.0.1)",
    )
    parser.add_argument(
        "--port", default=os.environ.get("PORT", ""), help="default: PORT, or the first free one from 7860"
    )
    parser.add_argument(
        "--static", type=Path, metavar="FOLDER", help="write the page without a server there, and serve nothing"
    )
    args = parser.parse_args(arguments)
    if args.static:
        return write_static(parser, args)
    limits.bound_heap()
    place.keep_loopback_from_proxies()
    cores.gather()
    try:
        host = place.host(args.host)
        port = place.port(args.port, host)
        place.temporary_folder()
        pipeline = Pipeline.from_pretrained(args.checkpoint, zero.DEVICE)
        evaluator = Evaluator.from_pretrained(CHECKPOINTS / "evaluator", zero.DEVICE)
        short = pipeline.dtype != evaluator.dtype
        glance = Evaluator.from_pretrained(CHECKPOINTS / "evaluator", zero.DEVICE, pipeline.dtype) if short else None
    except (OSError, ValueError) as error:
        parser.error(str(error))
    folder = Path(args.checkpoint)
    demo = build_demo(pipeline, evaluator, glance, folder, draws_at_once(CHECKPOINTS / STUDENT))
    demo.launch(server_name=host, server_port=port, prevent_thread_lock=True, **launch_options(demo))
    # Not before: building them takes the processor that the page needs to come up
    pipeline.accelerate()
    (glance or evaluator).accelerate()
    while demo.is_running:
        time.sleep(0.1)


def write_static(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Write the page without a server."""
    try:
        from ddpm.demo.static.build import write_site

        pipeline = Pipeline.from_pretrained(args.checkpoint, "cpu", torch.float32)
        evaluator = Evaluator.from_pretrained(CHECKPOINTS / "evaluator", "cpu")
        look = Look(evaluator.network, evaluator.counter)
        demo = build_demo(pipeline, evaluator, folder=Path(args.checkpoint))
        size = write_site(demo, Models(pipeline, CHECKPOINTS, dtype=torch.float32), look, args.static, CACHE)
    except (ImportError, OSError, ValueError) as error:
        parser.error(str(error))
    print(f"{args.static}: {size / 1e6:.0f} MB; to look at it: python -m http.server -d {args.static}")


if __name__ == "__main__":
    terminal.run(main)
