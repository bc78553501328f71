"""The package: what pip installs, and requirements that stand in one place."""

import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def test_requirements_are_those_of_pyproject() -> None:
    made = subprocess.run([sys.executable, ".ci/requirements.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert (ROOT / "requirements.txt").read_text(encoding="utf-8") == made.stdout, "run `make requirements`"


@pytest.mark.slow
def test_the_installed_package_draws_with_the_weights_it_is_told(tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    # The libraries are those of this environment; what is under test is what pip makes of the project itself.
    libraries = next(path for path in map(Path, sys.path) if path.name == "site-packages")
    site = next((tmp_path / "venv" / "lib").glob("*/site-packages"))
    install = [python, "-m", "pip", "install", "--quiet", "--no-deps", str(ROOT)]
    subprocess.run(install, check=True, cwd=tmp_path)
    (site / "libraries.pth").write_text(str(libraries), encoding="utf-8")
    assert {"py.typed", "demo", "networks", "backends"} <= {path.name for path in (site / "ddpm").iterdir()}
    assert (site / "ddpm" / "demo" / "texts" / "page.json").is_file()

    draw = [tmp_path / "venv" / "bin" / "ddpm", "generate", "red cube", "--out", "scene.png", "--steps", "2"]
    alone = subprocess.run(draw, cwd=tmp_path, capture_output=True, text=True)
    assert alone.returncode == 2
    assert "the installed package holds no weights: say where they are, a folder or owner/name" in alone.stderr
    told = [*draw, "--checkpoint", str(ROOT / "checkpoints" / "default")]
    subprocess.run(told, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "scene.png").stat().st_size > 1000
