"""The page's work by program: the endpoint /generate, for gradio_client, HTTP and MCP."""

from dataclasses import asdict
from typing import Literal

import gradio as gr
from gradio.processing_utils import save_pil_to_cache

from ddpm.demo import stage
from ddpm.demo.handlers import MODEL_QUEUE, Studio
from ddpm.labels import check
from ddpm.trajectory import to_picture

Sampler = Literal["ddpm", "ddim", "dpm++"]


def add_endpoints(demo: gr.Blocks, studio: Studio) -> None:
    """Add the endpoints to the page, inside whose context this is called."""
    files = gr.File(visible=False)  # owns the pictures, so that `delete_cache` clears them away

    def generate(
        labels: list[str],
        seed: int = 0,
        sampler: Sampler | None = None,
        steps: int | None = None,
        guidance: float | None = None,
    ) -> tuple[dict, dict]:
        """Draw a 64x64 picture of a scene of colored objects with a diffusion model, and let an evaluator judge it.

        An object is a color (gray, red, blue, green, brown, purple, cyan, yellow) and a shape (cube, sphere, cylinder).

        Parameters:
            labels: 1 to 5 different objects, such as ["red cube", "cyan sphere"].
            seed: A whole number from 0 up; the same seed and settings give the same picture.
            sampler: ddpm, ddim or dpm++; null takes the model's own, here and below.
            steps: The number of denoising steps, 1 to 1000.
            guidance: How strongly the labels count, from 0 (not at all) to 20.
        Returns:
            The picture, a PNG file.
            A report: labels found, missing and unrequested with the evaluator's probabilities, and the settings used.
        """
        scene = check(labels)
        x = studio.pipeline.generate([scene], seed, sampler, steps, guidance)
        path = save_pil_to_cache(to_picture(x[0]), files.GRADIO_CACHE, format="png")
        files.temp_files.add(path)
        report = {
            "labels": list(scene),
            **stage.verdict(scene, studio.evaluator(x)[0]),
            "seed": seed,
            **asdict(studio.pipeline.settings(sampler, steps, guidance)),
        }
        return gr.FileData(path=path, mime_type="image/png").model_dump(), report

    endpoint = gr.api(generate, api_name="generate", **MODEL_QUEUE)
    demo.fns[endpoint["id"]].validator = studio.validate  # `gr.api` takes none itself
