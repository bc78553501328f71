"""What ties the parts of the page to Gradio: their scripts, their places in the page, and their runs.

The scripts are ES modules that know nothing of Gradio, served as they are beside the page; adapter/main.js mounts each
in its gr.HTML, and static/main.js in a page without a server. A part asks for a run through the endpoint page_NAME, see
adapter/call.js.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from functools import wraps
from inspect import isgeneratorfunction
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ddpm.demo.hosting.limits import MODEL_QUEUE, Gone, TooMuch, answering
from ddpm.demo.texts import TEXTS
from ddpm.demo.verdicts import THRESHOLD
from ddpm.labels import COLORS, LABELS, MAX_OBJECTS

View = dict[str, Any]
"""What the script of a part draws, as plain data; "state" is the state of its run, see shared/activity.js."""

HOME = Path(__file__).parent.parent
_GRADIO_ASSETS = Path(gr.__file__).parent / "templates" / "frontend" / "assets"

KEYS = ("labels", "seed", "sampler", "steps", "guidance", "model")
"""What a run follows from: what a link holds, and what the stage says of the run that it shows.

The model is null for the page's own, which a link does not name.
"""

LINK_KEYS = (
    *KEYS,
    *("until", "view", "count", "way", "to_seed", "to_labels", "stops"),
    *(f"{side}_{key}" for side in "ab" for key in KEYS),
    *("edits", "edit_seed", "edit_sampler", "edit_steps", "edit_guidance"),
)
"""All that a link may say: the last lead to a gallery, a walk, a comparison or edits."""


def asset(name: str) -> str:
    """Return the text of a file of a part, such as "draw/stage.html"."""
    return (HOME / name).read_text(encoding="utf-8")


ELSEWHERE = ("engine", "static")
"""The folders of the page without a server."""


def _files(pattern: str) -> list[Path]:
    return [file for file in sorted(HOME.glob(pattern)) if file.parent.name not in ELSEWHERE]


_MODULES = {file.relative_to(HOME).as_posix(): file.read_bytes() for file in _files("*/*.js")}
_VERSION = hashlib.sha256(b"".join(_MODULES.values())).hexdigest()[:12]
_PLACE = f"gradio_api/page/{_VERSION}"
"""The version is part of the address, so that browsers may keep the scripts for ever. Under gradio_api/, proxies and
server-side rendering leave it to Python."""

MAIN = f"import(new URL('{_PLACE}/adapter/main.js', document.baseURI).href)"
"""A JavaScript expression: the promise of adapter/main.js."""


async def _module(request: Request) -> Response:
    body = _MODULES.get(request.path_params["name"]) if request.path_params["version"] == _VERSION else None
    if body is None:
        return Response("there is no such script", 404)
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(body, media_type="text/javascript", headers=headers)


ROUTES = [Route("/gradio_api/page/{version}/{name:path}", _module)]
"""Where the scripts are served."""


def head() -> str:
    """Return what the page's head holds: style sheets, what the scripts know from the start, and where they are.

    Gradio would rewrite the selectors of `css=`.
    """
    preload = "".join(f'<link rel="modulepreload" href="{_PLACE}/{name}">' for name in _MODULES)
    return f"<style>{styles()}</style>{facts(core=_core_module())}{preload}"


def styles() -> str:
    """Return the style sheets of all parts."""
    first = HOME / "shared" / "page.css"
    sheets = [first, *(file for file in _files("*/*.css") if file != first)]
    return "\n".join(sheet.read_text(encoding="utf-8") for sheet in sheets)


def facts(**more: Any) -> str:
    """Return the element with what the scripts know from the start, see shared/data.js."""
    known = {
        "texts": TEXTS,
        "labels": LABELS,
        "colors": COLORS,
        "maxObjects": MAX_OBJECTS,
        "threshold": THRESHOLD,
        "keys": KEYS,
        "linkKeys": LINK_KEYS,
        **more,
    }
    data = json.dumps(known, ensure_ascii=False).replace("</", "<\\/")
    return f'<script type="application/json" id="ddpm-data">{data}</script>'


def part(name: str, value: Any, template: str, **options: Any) -> gr.HTML:
    """Build the place of a part, which the script of its name draws in; see shared/parts.js.

    value, options: what the script finds in `page.props`, the value as `page.props.value`. template: its HTML.
    """
    return gr.HTML(
        value,
        html_template=template,
        js_on_load=f"{MAIN}.then((main) => main.mount('{name}', {{ element, props, trigger, watch }}));",
        apply_default_css=False,
        **options,
    )


def ask(name: str) -> str:
    """The script that asks a part for a run, given the values of its inputs: labels and seed first."""
    return f"(...inputs) => {{ ddpm.ask('{name}', ...inputs); }}"


def endpoint(name: str, work: Callable[..., Any]) -> None:
    """Let the scripts ask for `work`, which yields views or returns one; of a wrong value it raises ValueError."""
    gr.api(
        work if isgeneratorfunction(work) else answering(work),
        api_name=f"page_{name}",
        api_visibility="undocumented",
        **MODEL_QUEUE,
    )


def refusing(run: Callable[..., Iterator[View]]) -> Callable[..., Iterator[View]]:
    """Let `run` say in a view what is wrong with its arguments."""

    @wraps(run)
    def checked(*arguments: Any) -> Iterator[View]:
        try:
            yield from run(*arguments)
        except TooMuch as error:
            yield refusal("activity.too_much", **error.values)
        except ValueError as error:
            message = str(error)
            yield {"state": "refused", "message": message[0].upper() + message[1:] + "."}
        except Gone:
            return

    return checked


def refusal(problem: str, **values: Any) -> View:
    """Return the view that says why nothing is drawn; problem: the name of a text, with these values."""
    return {"state": "refused", "problem": problem, "values": values}


def _core_module() -> str | None:
    """Name the file of Gradio's frontend that changes the language of the labels; its name has a hash in it."""
    files = (file for file in sorted(_GRADIO_ASSETS.glob("core-*.js")) if "changeLocale" in file.read_text("utf-8"))
    return next((file.name for file in files), None)
