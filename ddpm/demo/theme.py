"""The look of the page: what `Blocks.launch` takes beside the address."""

from pathlib import Path
from typing import Any

import gradio as gr

from ddpm.demo.limits import serving
from ddpm.demo.texts import I18N, head_script
from ddpm.labels import MAX_OBJECTS

_ASSETS = Path(__file__).parent / "assets"


def asset(name: str) -> str:
    """Return the text of a file in assets/."""
    return (_ASSETS / name).read_text(encoding="utf-8")


# System fonts and no remote files: the page works without a network.
THEME = gr.themes.Base(
    primary_hue="teal",
    neutral_hue="stone",
    radius_size="lg",
    font=["system-ui", "-apple-system", "Segoe UI", "Roboto", "Ubuntu", "DejaVu Sans", "sans-serif"],
    font_mono=["ui-monospace", "SF Mono", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace"],
).set(
    body_background_fill="#f6f5f2",
    body_background_fill_dark="#131517",
    body_text_color="#23262a",
    body_text_color_dark="#e9e8e4",
    body_text_color_subdued="#63686f",
    body_text_color_subdued_dark="#a2a6ab",
    block_background_fill="transparent",
    block_background_fill_dark="transparent",
    block_border_width="0px",
    block_padding="0px",
    block_label_text_size="*text_sm",
    slider_color="#0b7a75",
    slider_color_dark="#3cc4bb",
    button_primary_background_fill="#0b7a75",
    button_primary_background_fill_dark="#0d807a",
    button_primary_background_fill_hover="#086560",
    button_primary_background_fill_hover_dark="#0b706b",
    button_primary_text_color="white",
    button_primary_text_color_dark="white",
)

_SCRIPTS = ("names.js", "frames.js", "player.js", "chart.js", "activity.js")
"""What the scripts of several components share, in the order in which it is needed."""


def _head() -> str:
    """Return style sheets and scripts for the page's head. Gradio would rewrite the selectors of `css=`."""
    sheets = ["page.css", *sorted(file.name for file in _ASSETS.glob("*.css") if file.name != "page.css")]
    styles = "".join(f"<style>{asset(name)}</style>" for name in sheets)
    scripts = "".join(f"<script>{asset(name)}</script>" for name in _SCRIPTS)
    return styles + head_script() + scripts.replace("__MAX_OBJECTS__", str(MAX_OBJECTS))


def launch_options(demo: gr.Blocks) -> dict[str, Any]:
    """What the page is launched with, beside its address: its look, and its limits."""
    return {**LAUNCH, **serving(demo)}


LAUNCH: dict[str, Any] = {
    "theme": THEME,
    "head": _head(),
    "i18n": I18N,
    "favicon_path": str(_ASSETS / "favicon.svg"),
    "footer_links": ["api", "settings"],
    "mcp_server": True,
}
