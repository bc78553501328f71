"""Print requirements.txt, which a Hugging Face Space installs: the ranges of pyproject.toml for page and training."""

import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
extras = project["optional-dependencies"]
print("# What the page, the sampler and the training need; made of pyproject.toml by `make requirements`.")
print(*project["dependencies"], *extras["demo"], *extras["train"], sep="\n")
