"""`training.publish`: what a Space is made of, what the Hub is asked for, and what is said where it refuses."""

import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from huggingface_hub import SpaceCard
from huggingface_hub.errors import HfHubHTTPError

from training import publish
from training.publish import PublishError, TransportError, check_front_matter, space, upload

GOOD = {
    "title": "Scenes",
    "emoji": "🎲",
    "colorFrom": "gray",
    "colorTo": "blue",
    "sdk": "gradio",
    "sdk_version": "6.31.0",
    "python_version": "3.12",
    "app_file": "app.py",
    "short_description": "Watch a DDPM",
}


class FakeHub:
    """Records what it is asked; `status` makes it refuse to create the Space."""

    def __init__(self, status: int = 200, hardware: Any = None) -> None:
        self.status, self.hardware = status, hardware
        self.created: dict[str, Any] = {}
        self.uploaded: dict[str, bytes] = {}
        self.deleted: Any = None

    def create_repo(self, name: str, **options: Any) -> str:
        if self.status != 200:
            raise HfHubHTTPError("no", response=Mock(status_code=self.status, headers={}))
        self.created = {"name": name, **options}
        self.hardware = self.hardware or options["space_hardware"]
        return f"https://hub.invalid/spaces/{name}"

    def upload_folder(self, *, folder_path: str, delete_patterns: Any, **_: Any) -> None:
        root = Path(folder_path)
        self.uploaded = {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}
        self.deleted = delete_patterns

    def get_space_runtime(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(requested_hardware=self.hardware)

    def request_space_hardware(self, name: str, hardware: Any) -> None:
        self.hardware = hardware


def test_a_space_holds_what_the_app_runs_on_and_nothing_else() -> None:
    files = space("me/scenes", "cpu").files
    assert {
        "app.py",
        "requirements.txt",
        "LICENSE",
        "ddpm/pipeline.py",
        "checkpoints/default/model.safetensors",
    } <= set(files)
    outside = {"app.py", "requirements.txt", "LICENSE"}
    assert all(name in outside or name.split("/")[0] in ("ddpm", "checkpoints") for name in files)
    assert not any("__pycache__" in name or name.endswith(".md") for name in files)
    package = {
        file.as_posix() for file in Path("ddpm").rglob("*") if file.is_file() and "__pycache__" not in file.parts
    }
    assert package <= set(files)


def test_the_page_is_built_from_the_files_of_a_space_alone(tmp_path: Path) -> None:
    for name, file in space("me/scenes", "cpu").files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, tmp_path / name)
    code = """if True:
        import app
        from ddpm import Evaluator, Pipeline
        pipeline = Pipeline.from_pretrained("checkpoints/default", "cpu")
        app.build_demo(pipeline, Evaluator.from_pretrained("checkpoints/evaluator", "cpu"))
        assert app.__file__.startswith(__import__("os").getcwd()), app.__file__
    """
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_zerogpu_gets_a_torch_that_it_runs() -> None:
    hub = FakeHub()
    upload(space("me/scenes", "zero"), hub)  # type: ignore[arg-type]
    wanted = hub.uploaded["requirements.txt"].decode().splitlines()
    assert "torch>=2.8,<2.12" in wanted
    others = Path("requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in wanted if line not in others] == ["torch>=2.8,<2.12"]


@pytest.mark.parametrize(("hardware", "flavor"), [("zero", "zero-a10g"), ("cpu", "cpu-basic"), ("gpu", "t4-small")])
def test_upload_creates_the_space_and_replaces_its_files(hardware: publish.Hardware, flavor: str) -> None:
    hub = FakeHub()
    assert upload(space("me/scenes", hardware), hub) == "https://hub.invalid/spaces/me/scenes"  # type: ignore[arg-type]
    assert (hub.created["repo_type"], hub.created["space_sdk"]) == ("space", "gradio")
    assert hub.created["space_hardware"].value == flavor
    assert hub.created["exist_ok"] and hub.deleted == "*"
    assert hub.uploaded["app.py"] == Path("app.py").read_bytes()


def test_a_space_that_is_there_gets_the_hardware_that_is_named() -> None:
    hub = FakeHub(hardware=publish.HARDWARE["cpu"])
    upload(space("me/scenes", "zero"), hub)  # type: ignore[arg-type]
    assert hub.hardware == publish.HARDWARE["zero"]


def test_its_card_is_valid_and_shows_no_picture_that_is_not_there() -> None:
    card = SpaceCard(space("me/scenes", "zero").texts["README.md"])
    data = card.data.to_dict()
    check_front_matter(data)
    assert data["suggested_hardware"] == "zero-a10g"
    assert "![" not in card.text and "\n## " not in card.text and card.text.strip().startswith("# ")


def test_a_static_space_is_what_make_web_built(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(Path("README.md").read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(PublishError, match="make web"):
        space("me/scenes", None, tmp_path)
    (tmp_path / "dist" / "models").mkdir(parents=True)
    (tmp_path / "dist" / "index.html").write_text("<p>")
    (tmp_path / "dist" / "models" / "a.onnx").write_bytes(b"1")
    planned = space("me/scenes", None, tmp_path)
    assert sorted(planned.files) == ["index.html", "models/a.onnx"]
    data = SpaceCard(planned.texts["README.md"]).data.to_dict()
    assert data["sdk"] == "static" and "app_file" not in data and "python_version" not in data
    assert data["custom_headers"]["cross-origin-embedder-policy"] == "require-corp"  # or there are no threads
    hub = FakeHub()
    upload(planned, hub)  # type: ignore[arg-type]
    assert (hub.created["space_sdk"], hub.created["space_hardware"]) == ("static", None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"title": ""}, "lacks title"),
        ({"sdk_version": None}, "lacks sdk_version"),
        ({"colorFrom": "teal"}, "colorFrom must be one of blue, gray"),
        ({"sdk": "streamlit"}, "sdk must be"),
        ({"short_description": "x" * 61}, "61 characters; the Hub takes 60"),
        ({"python_version": 3.1}, "python_version must be"),
        ({"python_version": "three"}, "python_version must be"),
    ],
)
def test_front_matter_that_the_hub_would_refuse_is_refused_here(change: dict[str, Any], message: str) -> None:
    check_front_matter(GOOD)
    with pytest.raises(PublishError, match=message):
        check_front_matter({**GOOD, **change})


@pytest.mark.parametrize("name", ["scenes", "me/", "/scenes", "me/two/three", "me/sp ace"])
def test_a_name_must_be_owner_and_name(name: str) -> None:
    with pytest.raises(PublishError, match="OWNER/NAME"):
        space(name, "zero")


@pytest.mark.parametrize(
    ("status", "message"), [(402, "free account can host"), (403, "write access"), (500, "status 500")]
)
def test_what_the_hub_refuses_is_said_in_a_sentence(status: int, message: str) -> None:
    with pytest.raises(PublishError, match=message):
        upload(space("me/scenes", "cpu"), FakeHub(status))  # type: ignore[arg-type]


def test_a_dry_run_lists_files_and_sizes_and_uploads_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "upload", lambda *_: pytest.fail("uploaded"))
    publish.main(["--space", "me/scenes", "--hardware", "cpu", "--dry-run"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "gradio Space me/scenes on cpu-basic"
    sizes = {line.split()[1]: int(line.split()[0].replace(",", "")) for line in lines[1:-1]}
    assert sizes["app.py"] == Path("app.py").stat().st_size
    assert int(lines[-1].split()[0].replace(",", "")) == sum(sizes.values())


def test_without_a_network_a_sentence_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "huggingface_hub.hf_api.get_session", lambda: Mock(post=Mock(side_effect=TransportError("down")))
    )
    with pytest.raises(SystemExit) as stop:
        publish.main(["--space", "me/scenes", "--hardware", "cpu"])
    assert stop.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith("the Hub cannot be reached: down")
