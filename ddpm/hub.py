"""Models that are kept somewhere else: fetched from the Hugging Face Hub, and given to it with a model card."""

from __future__ import annotations

import json
import re
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

    from ddpm.checkpoint import ModelConfig

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
FIGURES = "figures.json"  # what `training.evaluate` measured, if it lies beside the weights
CARD = "README.md"

# What `training.evaluate` calls a figure, its name, and the type that the Hub knows it by.
METRICS = (("exact_match", "Exact match", "exact_match"), ("topk_accuracy", "Top-k accuracy", "accuracy"))


def bundled(name: str) -> Path:
    """The folder of weights that come with the code: checkpoints/NAME of the checkout, or of the working folder.

    Raises FileNotFoundError where there are none, as for a package that pip has installed.
    """
    for checkpoints in (Path(__file__).resolve().parent.parent / "checkpoints", Path("checkpoints")):
        if (checkpoints / name).is_dir():
            return checkpoints / name
    raise FileNotFoundError(
        f"there is no folder checkpoints/{name} here, and the installed package holds no weights: "
        f"say where they are, a folder or owner/name on the Hugging Face Hub"
    )


def find(source: str | PathLike[str]) -> Path:
    """Return the local folder of a model; what cannot be a folder here is fetched from the Hub and cached.

    source: a folder, or "owner/name" on the Hub. Raises FileNotFoundError that says what was looked for.
    """
    folder = Path(source)
    if folder.is_dir():
        return folder
    # A name beside existing folders is a slip of the pen, and no reason to ask the network.
    if not isinstance(source, str) or not re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", source) or folder.parent.is_dir():
        wanted = f"a folder with {WEIGHTS} and {CONFIG}, or owner/name on the Hugging Face Hub"
        raise FileNotFoundError(f"{source}: there is no such checkpoint folder; expected {wanted}")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(source, allow_patterns=[WEIGHTS, CONFIG, FIGURES]))
    except (OSError, ValueError) as error:  # the Hub's errors and those of a missing network are OSErrors
        raise FileNotFoundError(f"{source}: neither a folder here nor a model of the Hub: {error}") from error


def metadata(config: ModelConfig, figures: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the Hub reads at the top of a model card, with the measured figures as its model-index.

    figures: the JSON that `training.evaluate` writes.
    """
    from huggingface_hub import ModelCardData

    card = ModelCardData(
        license="apache-2.0",
        library_name="pytorch",
        pipeline_tag="text-to-image",
        tags=["diffusion", "ddpm", "conditional-generation", "clevr"],
        model_name=config.name if figures else None,
        eval_results=_results(figures) if figures else None,
    )
    return card.to_dict()


def _results(figures: dict[str, Any]) -> list[EvalResult]:
    from huggingface_hub import EvalResult

    return [
        EvalResult(
            task_type="text-to-image",
            task_name="Scenes from labels",
            dataset_type="i-clevr-labels",
            dataset_name=f"Label sets of {Path(spec['spec']).name}",
            dataset_config=Path(spec["spec"]).stem,  # tells one from another: entries of one dataset are merged
            dataset_args={"images": spec["images"], "seeds": spec["seeds"]},
            metric_type=kind,
            metric_name=name,
            metric_value=spec[key],
        )
        for spec in figures["specs"]
        for key, name, kind in METRICS
    ]


def read_figures(folder: str | PathLike[str]) -> dict[str, Any] | None:
    """The figures that lie beside a model's weights, or None."""
    path = Path(folder) / FIGURES
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def card(config: ModelConfig) -> str:
    """A short model card for a model that has none."""
    from huggingface_hub import ModelCard, ModelCardData

    text = f"""---
{ModelCardData(**metadata(config)).to_yaml()}
---

# {config.name}

Draws 64x64 scenes of colored shapes from a set of labels, such as *red cube* and *cyan sphere* (8 colors x 3 shapes).
A {config.network} network that predicts {config.prediction} under a {config.schedule.kind} noise schedule of
{config.schedule.steps} timesteps; by default it samples with `{config.sampler}` in {config.steps} steps at guidance
{config.guidance:g}.

```python
from ddpm import Pipeline

pipe = Pipeline.from_pretrained("OWNER/NAME")  # or the folder of this file
x = pipe.generate([["red cube"], ["blue sphere", "gray cube"]], seed=0)  # (2, 3, 64, 64) in [-1, 1]
```
"""
    return str(ModelCard(text, ignore_metadata_errors=False))


def push(folder: Path, repo: str, private: bool | None, token: str | None) -> str:
    """Create the model `repo` ("owner/name") on the Hub if it is not there, upload the folder, return its address."""
    from huggingface_hub import HfApi

    api = HfApi(token=token)
    url = api.create_repo(repo, private=private, exist_ok=True)
    api.upload_folder(repo_id=url.repo_id, folder_path=folder, commit_message=f"Upload {repo}")
    return str(url)
