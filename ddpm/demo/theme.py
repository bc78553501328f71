"""The look of the page: what `Blocks.launch` takes beside the address."""

from typing import Any

import gradio as gr

from ddpm.demo.adapter.page import HOME, ROUTES, head
from ddpm.demo.api.tools import serve_plain_tools
from ddpm.demo.hosting.guard import serving
from ddpm.demo.texts import I18N

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
    button_transition="none",  # of buttons and boxes: frame after frame to paint while the model needs the processor
    slider_color="#0b7a75",
    slider_color_dark="#3cc4bb",
    button_primary_background_fill="#0b7a75",
    button_primary_background_fill_dark="#0d807a",
    button_primary_background_fill_hover="#086560",
    button_primary_background_fill_hover_dark="#0b706b",
    button_primary_text_color="white",
    button_primary_text_color_dark="white",
)


def launch_options(demo: gr.Blocks) -> dict[str, Any]:
    """What the page is launched with, beside its address: its look, its scripts and its limits."""
    serve_plain_tools()
    return {
        "theme": THEME,
        "head": head(),
        "i18n": I18N,
        "favicon_path": str(HOME / "shared" / "favicon.svg"),
        "footer_links": ["api", "settings"],
        "mcp_server": True,
        # In a page that the server has rendered, the module that changes Gradio's language is not the one that runs.
        "ssr_mode": False,
        **serving(demo, ROUTES),
    }
