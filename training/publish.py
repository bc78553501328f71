"""Put the demo on the Hugging Face Hub as a Space: `python -m training.publish --space OWNER/NAME [--dry-run]`.

It uploads what a Space runs and nothing else. --hardware zero is what a free account can host (ZeroGPU); cpu and gpu
need a paid plan. --static uploads dist/, the page without a server (`make web`), which is free for everyone.
Log in first with `hf auth login`, or set HF_TOKEN.
"""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from huggingface_hub import HfApi, SpaceCard, SpaceCardData, SpaceHardware
from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

from ddpm import terminal

TransportError: type[Exception] = HfHubHTTPError.__bases__[0]
"""What the Hub's HTTP client raises without a network; which client that is depends on the version."""

ROOT = Path(__file__).resolve().parents[1]

Hardware = Literal["zero", "cpu", "gpu"]
HARDWARE = {"zero": SpaceHardware.ZERO_A10G, "cpu": SpaceHardware.CPU_BASIC, "gpu": SpaceHardware.T4_SMALL}

ZERO_TORCH = "torch>=2.8,<2.12"
"""ZeroGPU runs torch 2.8 to 2.11."""

SERVED = ("app.py", "requirements.txt", "LICENSE")
PACKAGE_SUFFIXES = {".py", ".html", ".css", ".js", ".json", ".svg", ".png"}
CHECKPOINT_FILES = {"config.json", "model.safetensors", "figures.json"}

ISOLATED = {
    "cross-origin-embedder-policy": "require-corp",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "cross-origin",
}
"""What a page has to be sent with so that its scripts may share memory: then the networks run on several cores."""

COLORS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
MAX_DESCRIPTION = 60  # characters, the Hub's limit


class PublishError(ValueError):
    """A Space that cannot be published; the message says what to change."""


@dataclass(frozen=True)
class Space:
    """What would be on the Hub: files and texts by their path there, and the hardware (None for a static Space)."""

    name: str
    files: dict[str, Path]
    texts: dict[str, str]
    hardware: Hardware | None

    @property
    def sdk(self) -> str:
        """The Hub's word for how the Space runs."""
        return "static" if self.hardware is None else "gradio"


def space(name: str, hardware: Hardware | None, root: Path = ROOT) -> Space:
    """Collect the Space OWNER/NAME from a checkout; hardware None is the page without a server.

    Raises PublishError for a bad name, front matter that the Hub would refuse, or missing files.
    """
    if not re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", name):
        raise PublishError(f"--space must be OWNER/NAME, not {name!r}")
    found = _static_files(root) if hardware is None else _served_files(root)
    files = {path.relative_to(base).as_posix(): path for base, path in found}
    if hardware is None and "index.html" not in files:
        raise PublishError(f"{root / 'dist'} holds no index.html: run `make web` first")
    texts = {"README.md": _readme(root, hardware)}
    if hardware == "zero":
        texts["requirements.txt"] = _for_zero(files.pop("requirements.txt").read_text(encoding="utf-8"))
    return Space(name, files, texts, hardware)


def _for_zero(requirements: str) -> str:
    """The requirements with a torch that ZeroGPU runs."""
    changed = re.sub(r"(?m)^torch>=.*$", ZERO_TORCH, requirements)
    if changed == requirements:
        raise PublishError("requirements.txt names no torch>=")
    return changed


def _served_files(root: Path) -> Iterator[tuple[Path, Path]]:
    for name in SERVED:
        yield root, root / name
    for path in sorted((root / "ddpm").rglob("*")):
        if path.suffix in PACKAGE_SUFFIXES or path.name == "py.typed":
            yield root, path
    for path in sorted((root / "checkpoints").glob("*/*")):
        if path.name in CHECKPOINT_FILES:
            yield root, path


def _static_files(root: Path) -> Iterator[tuple[Path, Path]]:
    dist = root / "dist"
    return ((dist, path) for path in sorted(dist.rglob("*")) if path.is_file() and path.name != "README.md")


def _readme(root: Path, hardware: Hardware | None) -> str:
    """The front matter of README.md, made to fit the kind of Space, and the introduction."""
    card = SpaceCard.load(root / "README.md")
    data = card.data.to_dict()
    if hardware is None:
        for key in ("sdk_version", "python_version", "app_file"):
            data.pop(key, None)
        data["sdk"] = "static"
        data["custom_headers"] = ISOLATED
    elif hardware == "zero":
        data["suggested_hardware"] = HARDWARE["zero"].value
    check_front_matter(data)
    card.data = SpaceCardData(**data)
    introduction = card.text.split("\n## ")[0]
    card.text = re.sub(r"^!\[.*\)\n\n?", "", introduction, flags=re.MULTILINE).rstrip() + "\n"
    return str(card)


def check_front_matter(data: dict[str, Any]) -> None:
    """Raise PublishError for what the Hub refuses in a Space's front matter (its configuration reference)."""
    static = data.get("sdk") == "static"
    required = ("title", "emoji", "colorFrom", "colorTo", "sdk") + (() if static else ("sdk_version", "app_file"))
    if missing := [key for key in required if not data.get(key)]:
        raise PublishError(f"the front matter of README.md lacks {', '.join(missing)}")
    for key in ("colorFrom", "colorTo"):
        if data[key] not in COLORS:
            raise PublishError(f"{key} must be one of {', '.join(sorted(COLORS))}, not {data[key]!r}")
    if data["sdk"] not in ("gradio", "docker", "static"):
        raise PublishError(f"sdk must be gradio, docker or static, not {data['sdk']!r}")
    description = str(data.get("short_description", ""))
    if len(description) > MAX_DESCRIPTION:
        raise PublishError(f"short_description has {len(description)} characters; the Hub takes {MAX_DESCRIPTION}")
    version = data.get("python_version", "3.10")
    if not isinstance(version, str) or not re.fullmatch(r"3\.\d+(\.\d+)?", version):
        raise PublishError(f'python_version must be a quoted version such as "3.12", not {version!r}')


def listing(planned: Space) -> str:
    """What would be created and uploaded, one line per file with its size in bytes."""
    sizes = {name: path.stat().st_size for name, path in planned.files.items()}
    sizes |= {name: len(text.encode()) for name, text in planned.texts.items()}
    lines = [f"{size:>12,}  {name}" for name, size in sorted(sizes.items())]
    runs_on = "" if planned.hardware is None else f" on {HARDWARE[planned.hardware].value}"
    return "\n".join([f"{planned.sdk} Space {planned.name}{runs_on}", *lines, f"{sum(sizes.values()):>12,}  in all"])


def upload(planned: Space, api: HfApi) -> str:
    """Create the Space if it is not there, replace its files, and return its address. Raises PublishError."""
    hardware = None if planned.hardware is None else HARDWARE[planned.hardware]
    try:
        repo = api.create_repo(
            planned.name, repo_type="space", space_sdk=planned.sdk, space_hardware=hardware, exist_ok=True
        )
        with tempfile.TemporaryDirectory() as folder:
            for name, path in planned.files.items():
                (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, Path(folder) / name)
            for name, text in planned.texts.items():
                (Path(folder) / name).write_text(text, encoding="utf-8")
            api.upload_folder(repo_id=planned.name, repo_type="space", folder_path=folder, delete_patterns="*")
        if hardware is not None and api.get_space_runtime(planned.name).requested_hardware != hardware:
            api.request_space_hardware(planned.name, hardware)
    except LocalTokenNotFoundError:
        raise PublishError("not logged in to the Hub: run `hf auth login`, or set HF_TOKEN") from None
    except HfHubHTTPError as error:
        raise PublishError(_refusal(planned, error)) from error
    except TransportError as error:
        raise PublishError(f"the Hub cannot be reached: {error}") from error
    return str(repo)


def _refusal(planned: Space, error: HfHubHTTPError) -> str:
    status = error.response.status_code
    if status == 402:
        allowed = "a free account can host a static Space (--static) or ZeroGPU (--hardware zero)"
        return f"the Hub asks for a paid plan for this {planned.sdk} Space on {planned.hardware} hardware; {allowed}"
    if status in (401, 403):
        return f"the Hub does not let this account write to {planned.name}: check the name and the token's write access"
    return f"the Hub refused with status {status}: {error.server_message or error}"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--space", required=True, metavar="OWNER/NAME", help="the Space to create or update")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--hardware", choices=get_args(Hardware), default="zero", help="default: %(default)s")
    kind.add_argument("--static", action="store_true", help="the page without a server, from dist/")
    parser.add_argument("--dry-run", action="store_true", help="list what would be uploaded, and upload nothing")
    args = parser.parse_args(arguments)
    try:
        planned = space(args.space, None if args.static else args.hardware)
        print(listing(planned))
        if not args.dry_run:
            print(upload(planned, HfApi()))
    except (PublishError, OSError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    terminal.run(main)
