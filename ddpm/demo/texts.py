"""The page's texts in two languages, for Gradio's components and for the scripts in the browser.

Every visible text stands in texts/AREA.json: {"en": {"key": "..."}, "zh-TW": {"key": "..."}}, and goes by the
name "AREA.key". A component takes `text("AREA.key")`; in an HTML template, `data-text="AREA.key"` fills an element.
"""

from __future__ import annotations

import json
from html import escape
from pathlib import Path

import gradio as gr
from gradio.i18n import I18nData

from ddpm.labels import LABELS

LANGUAGES = ("en", "zh-TW")
"""The first is the one for people whose language the page does not speak."""

HOME = Path(__file__).parent / "texts"


def _read() -> dict[str, dict[str, str]]:
    texts: dict[str, dict[str, str]] = {language: {} for language in LANGUAGES}
    for file in sorted(HOME.glob("*.json")):
        area = json.loads(file.read_text(encoding="utf-8"))
        for language in LANGUAGES:
            texts[language].update({f"{file.stem}.{key}": value for key, value in area[language].items()})
    for words in texts.values():  # "label.red cube" from "label.red" and "label.cube"
        for label in LABELS:
            color, shape = (words[f"label.{word}"] for word in label.split())
            words[f"label.{label}"] = words["label.object"].format(color=color, shape=shape)
    return texts


TEXTS = _read()
"""For each language the texts by name."""

I18N = gr.I18n(**TEXTS)
"""What `launch(i18n=...)` takes."""


def text(name: str) -> I18nData:
    """Return what a component takes as label, info, placeholder, value or name of a choice.

    The browser puts the text of its language in place, and does so again when the language is changed. Raises KeyError.
    """
    if name not in TEXTS[LANGUAGES[0]]:
        raise KeyError(f"no text is called {name!r}")
    return I18N(name)


def element(tag: str, name: str) -> str:
    """Return an HTML element such as "h2" that shows the text in the reader's language."""
    return f'<{tag} data-text="{name}">{escape(TEXTS[LANGUAGES[0]][name])}</{tag}>'
