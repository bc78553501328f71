"""A start button, a stop button and a screen that shows what the models do in between; see assets/activity.js."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

import gradio as gr

from ddpm.demo.handlers import MODEL_QUEUE
from ddpm.demo.limits import Gone
from ddpm.demo.stage import FAILED, STOPPED, WAITING, closed
from ddpm.demo.texts import text
from ddpm.demo.theme import asset

View = dict[str, Any]
"""The value of a screen: "state", and whatever its script draws."""


@dataclass(frozen=True)
class Activity:
    """The components of one activity: the elements #name-start, #name-stop and #name."""

    name: str
    start: gr.Button
    stop: gr.Button
    screen: gr.HTML

    @property
    def ask(self) -> str:
        """The script that takes the scene and the seed, and starts the run where they will do."""
        return f"""(labels, seed) => {{
            const screen = document.querySelector("#{self.name} section");
            screen.dispatchEvent(new CustomEvent("ask", {{ bubbles: true, detail: {{ labels, seed }} }}));
        }}"""

    def connect(
        self,
        scene: gr.HTML,
        seed: gr.Number,
        run: Callable[..., Iterator[View]],
        inputs: Sequence[gr.components.Component],
    ) -> None:
        """Let the start button run `run(labels, seed, *inputs)`, which yields values of the screen."""
        self.start.click(None, [scene, seed], js=self.ask)
        self.screen.submit(None, None, self.screen, js=WAITING)
        event = self.screen.submit(
            refusing(run),
            [scene, seed, *inputs],
            self.screen,
            trigger_mode="multiple",
            show_progress="hidden",
            api_visibility="private",
            **MODEL_QUEUE,
        )
        event.failure(None, None, self.screen, js=FAILED)
        event.then(None, None, None, js=closed(f"#{self.name} section"))
        self.stop.click(None, None, self.screen, js=STOPPED, cancels=event)


def buttons(name: str) -> tuple[gr.Button, gr.Button]:
    """Build the two buttons; the text of the first is "NAME.start"."""
    with gr.Row(elem_classes=["starter"]):
        start = gr.Button(text(f"{name}.start"), variant="primary", elem_id=f"{name}-start")
        stop = gr.Button(text("activity.stop"), interactive=False, elem_id=f"{name}-stop")
    return start, stop


def screen(name: str, **props: Any) -> gr.HTML:
    """Build the screen from assets/NAME.html and NAME.js. props: what the script finds in its `props`."""
    return gr.HTML(
        {"state": "empty"},
        html_template=asset(f"{name}.html"),
        js_on_load=asset(f"{name}.js"),
        apply_default_css=False,
        elem_id=name,
        label=name.capitalize(),
        **props,
    )


def refusal(problem: str, **values: Any) -> View:
    """Return the value of a screen that says why nothing is drawn; problem: the name of a text, with these values."""
    return {"state": "refused", "problem": problem, "values": values, "message": ""}


def refusing(run: Callable[..., Iterator[View]]) -> Callable[..., Iterator[View]]:
    """Let `run` show on its screen what is wrong with its arguments."""

    @wraps(run)
    def checked(*arguments: Any) -> Iterator[View]:
        try:
            yield from run(*arguments)
        except ValueError as error:
            message = str(error)
            yield {"state": "refused", "message": message[0].upper() + message[1:] + "."}
        except Gone:
            return

    return checked
