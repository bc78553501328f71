"""Writes the page without a server: a folder that any file server serves, such as `python -m http.server -d dist`."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from pathlib import Path

import gradio as gr

from ddpm.counting import Look
from ddpm.demo.adapter.page import HOME, facts, styles
from ddpm.demo.models import Models
from ddpm.demo.static.networks import write_networks
from ddpm.demo.static.packages import write_packages
from ddpm.demo.static.page import StaticPage
from ddpm.demo.texts import TEXTS
from ddpm.demo.theme import THEME

MARK = "ddpm-static"
"""The name of a file by which a folder is known as one that was written here, and may be replaced."""


def write_site(demo: gr.Blocks, models: Models, look: Look, folder: Path, cache: Path) -> int:
    """Write the page and all that it loads into a folder, and return how many bytes that are.

    demo: the page that would be served. models: those that are offered, in float32. look: what the evaluator says.
    cache: keeps what comes from the npm registry.
    Raises ValueError for a folder with something else in it, OSError where the registry cannot be reached.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()) and not (folder / MARK).exists():
        raise ValueError(f"{folder} holds something else than the page without a server; name another folder")
    (folder / MARK).touch()
    with tempfile.TemporaryDirectory(dir=folder) as place:  # so that the old page stays until the new one is whole
        fresh = Path(place)
        _write_all(demo, models, look, fresh, cache)
        for old in folder.iterdir():
            if old.name in (fresh.name, MARK):
                continue
            shutil.rmtree(old) if old.is_dir() else old.unlink()
        for new in fresh.iterdir():
            new.rename(folder / new.name)
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _write_all(demo: gr.Blocks, models: Models, look: Look, folder: Path, cache: Path) -> None:
    for name in ("models", "runtime"):
        (folder / name).mkdir()
    about = write_networks(models, look, folder / "models")
    about["runtime"] = write_packages(folder / "runtime", cache)
    (folder / "models" / "models.json").write_text(json.dumps(about), encoding="utf-8")
    example = next(fn.fn for fn in demo.fns.values() if fn.api_name == "page_example")
    assert example is not None
    (folder / "example.json").write_text(json.dumps(example()), encoding="utf-8")
    shutil.copy(HOME / "shared" / "favicon.svg", folder)
    _write_page(StaticPage(demo), folder)


def _write_page(page: StaticPage, folder: Path) -> None:
    """Write index.html, and the scripts under a name that changes with what is in them."""
    scripts = {file.relative_to(HOME).as_posix(): file.read_text(encoding="utf-8") for file in HOME.glob("*/*.js")}
    scripts["static/events.js"] = page.events
    version = hashlib.sha256(json.dumps(scripts, sort_keys=True).encode()).hexdigest()[:12]
    place = f"page-{version}"
    for name, script in scripts.items():
        file = folder / place / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(script, encoding="utf-8")
    first = [name for name in sorted(scripts) if not name.startswith("engine/")]
    parts = {
        "TITLE": TEXTS["en"]["page.title"],
        "STYLES": "\n".join([THEME._get_theme_css(), styles(), (HOME / "static" / "static.css").read_text("utf-8")]),
        "FACTS": facts(),
        "PRELOAD": "".join(f'<link rel="modulepreload" href="{place}/{name}">' for name in first),
        "BODY": page.html,
        "MAIN": f"{place}/static/main.js",
    }
    html = (HOME / "static" / "index.html").read_text(encoding="utf-8")
    for name, value in parts.items():
        html = html.replace(f"__{name}__", value)
    (folder / "index.html").write_text(html, encoding="utf-8")
