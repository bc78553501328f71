"""The page's Blocks as plain HTML, and its events as a script: what Gradio's frontend would make of their config.

The elements have the classes of Gradio's, as far as the style sheets name them. What it cannot show raises ValueError.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from typing import Any

import gradio as gr

from ddpm.demo.adapter.page import MAIN
from ddpm.demo.texts import LANGUAGES, TEXTS

Props = dict[str, Any]

_TRANSLATED = "__i18n__"  # how Gradio marks the name of a text in a config


class StaticPage:
    """What a page is made of: `html`, the body, and `events`, a script for static/controls.js."""

    def __init__(self, demo: gr.Blocks) -> None:
        config: Any = demo.get_config_file()
        layout = config["layout"]
        self._components = {component["id"]: component for component in config["components"]}
        self._shown: set[int] = set()
        self.html = "".join(map(self._node, layout["children"]))
        self.events = "".join(self._script(config["dependencies"]))

    def _node(self, node: dict[str, Any]) -> str:
        component = self._components[node["id"]]
        kind, props = component["type"], component["props"]
        children = node.get("children") or []
        if kind == "api" or (kind not in _SHOWN and not props.get("visible", True)):
            return ""
        self._shown.add(node["id"])
        if kind == "tabs":
            return self._tabs_html(node, props)
        if kind in ("row", "column", "form"):
            inside = "".join(map(self._node, children))
            return f"<div{_attributes(kind, props)}{_sizes(props)}>{inside}</div>"
        if kind not in _SHOWN:
            raise ValueError(f"a component of type {kind!r} cannot be shown without a server")
        return _ELEMENTS[kind](node["id"], props)

    def _tabs_html(self, node: dict[str, Any], props: Props) -> str:
        buttons: list[str] = []
        panels: list[str] = []
        for child in node["children"]:
            tab = self._components[child["id"]]["props"]
            first = not buttons
            panel = tab["elem_id"]
            chosen = f'aria-selected="{str(first).lower()}"' + (' class="selected"' if first else ' tabindex="-1"')
            buttons.append(
                f'<button type="button" role="tab" data-tab-id="{tab["id"]}" aria-controls="{panel}" {chosen}'
                f"{_filled(tab['label'])}</button>"
            )
            inside = "".join(map(self._node, child["children"]))
            hidden = "" if first else " hidden"
            panels.append(
                f'<div class="tabitem" role="tabpanel" id="{panel}"{hidden}><div class="column">{inside}</div></div>'
            )
        bar = f'<div class="tab-container" role="tablist">{"".join(buttons)}</div>'
        return f"<div{_attributes('tabs', props)}>{bar}{''.join(panels)}</div>"

    def _script(self, dependencies: list[dict[str, Any]]) -> Iterator[str]:
        here = {i: self._components[i]["props"] for i in sorted(self._shown)}
        parts = {i: props for i, props in here.items() if props.get("js_on_load")}
        values = json.dumps({i: props.get("value") for i, props in parts.items()}, ensure_ascii=False)
        yield "// Made by static/page.py of the page's Blocks: its parts' values, how they are mounted, its events.\n"
        yield f"export const values = {values};\nexport const mounts = {{\n"
        for i, props in parts.items():
            yield f"  {i}: ({{ element, props, trigger, watch }}) => {_local(props['js_on_load']).rstrip(';')},\n"
        yield "};\nexport const events = [\n"
        for event in dependencies:
            targets = [[i, name] for i, name in event["targets"] if i in here or name in ("load", "then")]
            used = {*event["inputs"], *event["outputs"]}
            if not targets or not used <= here.keys():
                continue
            if event["backend_fn"]:
                raise ValueError(f"an event of {targets} needs a server")
            about = {key: event[key] for key in ("id", "inputs", "outputs")}
            about |= {"targets": targets, "after": event["trigger_after"]}
            yield f"  {{ ...{json.dumps(about)}, run: {_local(event['js'])} }},\n"
        yield "];\n"


def _local(script: str) -> str:
    return script.replace(MAIN, 'import("./main.js")')


def _key(value: Any) -> str | None:
    """The name of a text, or None for a value that is shown as it is."""
    words = str(value)
    if not words.startswith(_TRANSLATED):
        return None
    key: str = json.loads(words.removeprefix(_TRANSLATED))["key"]
    return key


def _filled(value: Any, attributes: str = "") -> str:
    """The rest of an element that shows these words, without its end."""
    key = _key(value)
    named = f' data-text="{key}"' if key else ""
    return f"{attributes}{named}>{escape(TEXTS[LANGUAGES[0]][key] if key else str(value))}"


def _span(value: Any, attributes: str = "") -> str:
    return f"<span{_filled(value, attributes)}</span>"


def _named(value: Any) -> str:
    """The attribute that names a field for screen readers."""
    key = _key(value)
    return f' data-text-aria="{key}"' if key else f' aria-label="{escape(str(value))}"'


def _attributes(kind: str, props: Props, component: int | None = None) -> str:
    classes = " ".join([kind, *props.get("elem_classes", [])])
    name = f' id="{props["elem_id"]}"' if props.get("elem_id") else ""
    number = "" if component is None else f' data-component="{component}"'
    return f' class="{classes}"{name}{number}' + ("" if props.get("visible", True) else " hidden")


def _sizes(props: Props) -> str:
    scale, width = props.get("scale"), props.get("min_width")
    rules = [f"flex-grow:{scale}"] * (scale is not None) + [f"min-width:min({width}px,100%)"] * (width is not None)
    return f' style="{";".join(rules)}"' if rules else ""


def _head(props: Props) -> str:
    if not props.get("show_label", True):
        return ""
    title = _span(props["label"], ' data-testid="block-info"')
    return title + (f'<div class="info-text"{_filled(props["info"])}</div>' if props.get("info") else "")


def _html(component: int, props: Props) -> str:
    content = props["html_template"].replace("${value}", str(props.get("value") or ""))
    return f"<div{_attributes('block', props, component)}>{content}</div>"


def _button(component: int, props: Props) -> str:
    kind = f"lg {props['variant']}"
    off = "" if props["interactive"] else " disabled"
    return f'<button type="button"{_attributes(kind, props, component)}{off}{_filled(props["value"])}</button>'


def _choices(kind: str, component: int, props: Props) -> str:
    labels = []
    for words, value in props["choices"]:
        chosen = value in props["value"] if kind == "checkbox" else value == props["value"]
        name = value if kind == "checkbox" else f"choice-{component}"
        box = (
            f'<input type="{kind}" name="{escape(str(name))}" value="{escape(str(value))}"'
            f' data-value="{escape(json.dumps(value))}"{" checked" * chosen}>'
        )
        labels.append(f"<label{' class=selected' * chosen}>{box}{_span(words)}</label>")
    group = ' data-testid="checkbox-group"' if kind == "checkbox" else ""
    inside = f'{_head(props)}<div class="wrap"{group}>{"".join(labels)}</div>'
    return f"<fieldset{_attributes('block', props, component)}>{inside}</fieldset>"


def _plain(number: float) -> str:
    return f"{number:.15g}"


def _number(component: int, props: Props) -> str:
    field = f'<input type="number" step="any" value="{_plain(props["value"])}"{_named(props["label"])}>'
    return f'<div{_attributes("block", props, component)}><label class="container">{_head(props)}{field}</label></div>'


def _slider(component: int, props: Props) -> str:
    low, high, value = (_plain(props[key]) for key in ("minimum", "maximum", "value"))
    limits = f'min="{low}" max="{high}" step="{props["step"]}" value="{value}"{_named(props["label"])}'
    head = f'<label for="range_id_{component}">{_head(props)}</label>'
    number = f'<input type="number" {limits}>'
    slider = f'<input type="range" id="range_id_{component}" {limits}>'
    return (
        f'<div{_attributes("block", props, component)}><div class="head">{head}{number}</div>'
        f'<div class="slider"><span>{low}</span>{slider}<span>{high}</span></div></div>'
    )


def _dropdown(component: int, props: Props) -> str:
    several = " multiple size=5" if props.get("multiselect") else ""
    options = "".join(
        f'<option data-value="{escape(json.dumps(value))}"{" selected" * (value == props["value"])}'
        f"{_filled(words)}</option>"
        for words, value in props["choices"]
    )
    field = f"<select{several}{_named(props['label'])}>{options}</select>"
    return f'<div{_attributes("block", props, component)}><div class="container">{_head(props)}{field}</div></div>'


_ELEMENTS = {
    "html": _html,
    "button": _button,
    "checkboxgroup": lambda component, props: _choices("checkbox", component, props),
    "radio": lambda component, props: _choices("radio", component, props),
    "number": _number,
    "slider": _slider,
    "dropdown": _dropdown,
}
_SHOWN = {*_ELEMENTS, "tabs", "row", "column", "form"}
