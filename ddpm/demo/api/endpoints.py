"""The page's work by program: named endpoints for gradio_client and HTTP, which are also tools for MCP clients."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr

from ddpm.demo.api.draw import Drawing
from ddpm.demo.api.explore import Experiments
from ddpm.demo.checks import Check, judged
from ddpm.demo.draw.studio import Studio
from ddpm.demo.hosting.limits import MODEL_QUEUE, answering


def add_endpoints(demo: gr.Blocks, studio: Studio) -> None:
    """Add the endpoints to the page, inside whose context this is called."""
    files = gr.File(visible=False)  # owns the files, so that `delete_cache` clears them away
    drawing = Drawing(studio, files)
    experiments = Experiments(studio, files, drawing.checks)
    for group in (drawing, experiments):
        for work in group.endpoints:
            _add(demo, work, group.checks)


def _add(demo: gr.Blocks, work: Callable[..., Any], checks: Mapping[str, Check]) -> None:
    """Add an endpoint with the name of the function, which shares the model's queue with the page."""
    names = list(inspect.signature(work).parameters)
    endpoint = gr.api(answering(work), api_name=work.__name__, **MODEL_QUEUE)

    def validate(*values: Any) -> Any:
        verdicts = [judged(checks[name], value) for name, value in zip(names, values, strict=True)]
        return verdicts if len(verdicts) > 1 else verdicts[0]  # Gradio puts a single one into a list itself

    demo.fns[endpoint["id"]].validator = validate  # `gr.api` takes none itself
