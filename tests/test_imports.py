"""The library and the training commands load what they use: no page, plots, film or judge where none is made."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEAVY = ("gradio", "matplotlib", "av", "torchvision")
# The benchmark times the page and two commands draw: they load what they work with at once.
DRAW_OR_SERVE = {"training.benchmark", "training.contact_sheet", "training.figures"}


def test_library_and_commands_load_no_library_that_they_do_not_use() -> None:
    files = [path.relative_to(ROOT).with_suffix("") for path in (ROOT / "training").rglob("[!_]*.py")]
    training = {".".join(file.parts) for file in files}
    modules = ["ddpm", "ddpm.pipeline", "ddpm.cli", *sorted(training - DRAW_OR_SERVE)]
    code = f"""if True:
        import importlib, sys
        for module in {modules!r}:
            importlib.import_module(module)
            loaded = [name for name in {HEAVY!r} if name in sys.modules]
            assert not loaded, f"{{module}} loads {{loaded}}"
    """
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_model_is_loaded_without_the_compiler_of_torch() -> None:
    code = """if True:
        import sys
        from ddpm import checkpoint
        checkpoint.load("checkpoints/default")
        loaded = [name for name in ("sympy", "torch._dynamo") if name in sys.modules]
        assert not loaded, f"it loads {loaded}, 30 MB and more"
    """
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
