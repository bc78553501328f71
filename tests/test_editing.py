"""One thing in a picture changes, and the rest stays: by program and on the page."""

import base64
import json
import random
from pathlib import Path

import pytest
import torch
from conftest import NARROW, generate, state, tick
from PIL import Image
from playwright.sync_api import Page, expect

from ddpm import Evaluator, Pipeline, editing
from ddpm.demo.draw.studio import Studio
from ddpm.demo.edit.edit import edit_views
from ddpm.evaluator import predicted_labels
from ddpm.labels import LabelError
from training import edits

CHECKPOINTS = Path(__file__).parents[1] / "checkpoints"
BEFORE, AFTER = ["red cube", "cyan sphere"], ["blue cube", "cyan sphere"]


def last(steps):
    *_, step = steps
    return step


@pytest.fixture(scope="module")
def bundled() -> Pipeline:
    return Pipeline.from_pretrained(CHECKPOINTS / "default", "cpu")


def test_outside_the_place_every_predicted_picture_is_the_old_one(pipeline: Pipeline) -> None:
    x0 = pipeline.generate([BEFORE, BEFORE], seed=1, steps=3)
    where = torch.zeros(2, 1, 64, 64)
    where[0, :, 10:20, 30:40] = where[1, :, 40:50, 5:10] = 1
    kept = (where == 0).expand_as(x0)
    steps = list(editing.edit(pipeline, x0, [BEFORE] * 2, [AFTER] * 2, pipeline.settings("ddim", 20), 0, where))
    assert [step.index for step in steps] == list(range(1, 11))  # half of the way
    for step in steps:
        assert torch.equal(step.x0[kept], x0[kept])
    assert not torch.equal(steps[-1].x0[~kept], x0[~kept])


@pytest.mark.parametrize("after", [AFTER, ["cyan sphere"], [*BEFORE, "gray cube"]])
def test_an_edit_does_not_depend_on_its_batch(
    pipeline: Pipeline, after: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(editing, "THRESHOLD", NARROW)
    x0 = pipeline.generate([BEFORE, BEFORE], seed=1, steps=3)
    settings = pipeline.settings("sde-dpm++", 10)
    both = last(editing.edit(pipeline, x0, [BEFORE] * 2, [after] * 2, settings, 5)).x0
    single = last(editing.edit(pipeline, x0[:1], [BEFORE], [after], settings, 5)).x0
    torch.testing.assert_close(both[:1], single, atol=1e-3, rtol=0)
    second = last(editing.edit(pipeline, x0[1:], [BEFORE], [after], settings, 6)).x0
    torch.testing.assert_close(both[1:], second, atol=1e-3, rtol=0)


@pytest.mark.parametrize("after", [AFTER, ["cyan sphere"], [*BEFORE, "gray cube"]])
def test_the_place_is_looked_for_under_the_noise_that_the_edit_begins_from(
    pipeline: Pipeline, after: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(editing, "THRESHOLD", NARROW)
    x0 = pipeline.generate([BEFORE], seed=1, steps=3)
    settings = pipeline.settings("sde-dpm++", 10)
    place, other = (editing.edit_place(pipeline, x0, [BEFORE], [after], seed) for seed in (5, 0))
    assert place.shape == (1, 1, 64, 64) and set(place.unique().tolist()) == {0.0, 1.0}
    assert not torch.equal(place, other)
    found, given = (last(editing.edit(pipeline, x0, [BEFORE], [after], settings, 5, at)).x0 for at in (None, place))
    torch.testing.assert_close(found, given)


def test_a_picture_without_objects_has_no_places(pipeline: Pipeline) -> None:
    assert editing.object_places(pipeline, torch.zeros(3, 64, 64), []) == {}


def test_a_place_is_where_the_change_is_large_and_a_margin_around_it() -> None:
    change = torch.zeros(1, 1, 64, 64)
    change[..., 20, 30] = 1
    change[..., 50, 50] = 0.05
    rows, columns = editing.place(change)[0, 0].nonzero(as_tuple=True)
    margin = 1 + editing.GROWN  # of the smoothing, too
    assert (rows.min(), rows.max()) == (20 - margin, 20 + margin)
    assert (columns.min(), columns.max()) == (30 - margin, 30 + margin)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ([BEFORE], [list(reversed(BEFORE))], "stay as they are"),
        ([BEFORE, BEFORE], [AFTER, ["cyan sphere"]], "apart from"),
        ([BEFORE], [["blue cub", "cyan sphere"]], "unknown label"),
    ],
)
def test_what_is_no_edit_is_refused(pipeline: Pipeline, before: list, after: list, message: str) -> None:
    x0 = torch.zeros(len(before), 3, 64, 64)
    with pytest.raises((ValueError, LabelError), match=message):
        editing.edit(pipeline, x0, before, after, pipeline.settings())
    with pytest.raises(ValueError, match="the place must be"):
        editing.edit(pipeline, x0[:1], [BEFORE], [AFTER], pipeline.settings(), where=torch.ones(1, 64, 64))


def test_the_bundled_model_changes_one_thing_after_another(bundled: Pipeline) -> None:
    evaluator = Evaluator.from_pretrained(CHECKPOINTS / "evaluator", "cpu")
    scenes = [BEFORE, AFTER, ["blue cylinder", "cyan sphere"], ["cyan sphere"], ["cyan sphere", "yellow cube"]]
    x0 = bundled.generate([BEFORE], seed=0)
    for before, after in zip(scenes, scenes[1:], strict=False):
        assert set(predicted_labels(evaluator(x0))[0]) == set(before)
        x0 = last(editing.edit(bundled, x0, [before], [after], bundled.settings(), 0)).x0
    assert set(predicted_labels(evaluator(x0))[0]) == set(scenes[-1])


def test_objects_are_found_where_they_stand(bundled: Pipeline) -> None:
    x0 = bundled.generate([BEFORE], seed=0)[0]
    places = editing.object_places(bundled, x0, BEFORE)
    redness = x0[0] - x0[1:].mean(0)
    for label, pixels in (("red cube", redness), ("cyan sphere", -redness)):
        row, column = divmod(int(pixels.argmax()), 64)
        assert places[label].max() == 1
        assert places[label][row, column] == max(place[row, column] for place in places.values())


def test_wishes_are_of_their_kind() -> None:
    rng = random.Random(0)
    for _ in range(50):
        scene = rng.sample(list(edits.LABELS), rng.choice(edits.COUNTS))
        gone = {kind: [*set(scene) - set(edits.wish(kind, scene, rng))] for kind in edits.KINDS}
        assert [len(gone[kind]) for kind in edits.KINDS] == [1, 1, 1, 0]
        assert [len(edits.wish(kind, scene, rng)) - len(scene) for kind in edits.KINDS] == [0, 0, -1, 1]


def test_the_change_outside_leaves_a_margin_out() -> None:
    before, place = torch.zeros(1, 3, 64, 64), torch.zeros(1, 1, 64, 64)
    place[..., 30, 30] = 1
    after = before.clone()
    after[..., 28:33, 28:33] = 1
    assert edits.change_outside(before, after, place) == 0
    after[..., 0, 0] = 2 / 255 * (64 * 64 - 25)
    assert edits.change_outside(before, after, place) == pytest.approx(1)


def test_edits_are_measured(pipeline: Pipeline, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipeline.save_pretrained(tmp_path / "model")
    arguments = ["--checkpoint", str(tmp_path / "model"), "--json", str(tmp_path / "edits.json")]
    edits.main([*arguments, "--each", "2"])
    rows = json.loads((tmp_path / "edits.json").read_text())["rows"]
    assert [row["kind"] for row in rows] == list(edits.KINDS)
    assert all(row["change_outside"] == 0 and 0 <= row["exact_match"] <= 1 for row in rows)
    assert "| recolor |" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        edits.main([*arguments, "--each", "0"])


def test_bytes_that_are_no_picture_are_refused(studio: Studio) -> None:
    from ddpm.demo.edit.edit import _picture

    white = base64.b64encode(bytes([255]) * 64 * 64 * 3).decode()
    assert torch.equal(_picture(white), torch.ones(3, 64, 64))
    for data in ("", "!", white[:-4], None):
        with pytest.raises(ValueError, match="the picture must be base64 of 12288 bytes"):
            _picture(data)
    settings = studio.pipeline.settings("ddim", 4)
    with pytest.raises(ValueError, match="stay as they are"):
        list(edit_views(studio, torch.zeros(3, 64, 64), BEFORE, BEFORE, 0, settings, None))


@pytest.fixture
def studio(pipeline: Pipeline) -> Studio:
    return Studio(pipeline, lambda x: torch.full((len(x), 24), 0.1))


# --- In the browser ---


def open_tab(page: Page) -> None:
    page.get_by_label("10", exact=True).check()
    tick(page, *BEFORE)
    generate(page).click()
    expect(state(page)).to_contain_text("Finished")
    page.get_by_role("tab", name="Edit", exact=True).click()
    expect(page.locator(".edit .objects")).to_have_text("red cubecyan sphereAdd one")


def pictured(page: Page) -> str:
    return page.locator(".edit [data-part=picture]").evaluate("(canvas) => canvas.toDataURL()")


def turn(page: Page, name: str, wish: str) -> None:
    page.locator(f".edit .objects [data-label='{name}']").click()
    page.get_by_role("button", name=wish, exact=True).click()
    expect(page.locator(".edit [data-part=note]")).to_contain_text("Edits so far")
    expect(page.locator(".edit")).to_have_attribute("data-state", "done")


def test_edits_stack_and_can_be_undone(page: Page) -> None:
    open_tab(page)
    seen = [pictured(page)]
    turn(page, "red cube", "Turn the red cube into a blue cube")
    expect(page.locator(".edit .objects")).to_have_text("blue cubecyan sphereAdd one")
    seen.append(pictured(page))
    turn(page, "cyan sphere", "Remove the cyan sphere")
    expect(page.locator(".edit .objects")).to_have_text("blue cubeAdd one")
    turn(page, "", "Add a gray cylinder")
    expect(page.locator(".edit .objects")).to_have_text("blue cubegray cylinderAdd one")
    expect(page.locator(".edit .verdict")).to_contain_text("gray cylinder")
    expect(page.locator(".edit [data-part=note]")).to_have_text("Edits so far: 3")
    for left in (2, 1):
        page.get_by_role("button", name="Undo", exact=True).click()
        expect(page.locator(".edit [data-part=note]")).to_have_text(f"Edits so far: {left}")
    assert pictured(page) == seen[1]
    page.get_by_role("button", name="Undo", exact=True).click()
    assert pictured(page) == seen[0] != seen[1]
    expect(page.get_by_role("button", name="Undo", exact=True)).to_be_disabled()


def test_an_edit_can_be_watched_again(page: Page) -> None:
    open_tab(page)
    turn(page, "red cube", "Turn the red cube into a red sphere")
    step = page.locator(".edit [data-part=step]")
    expect(step).to_contain_text("step 5 / 5")
    final = pictured(page)
    page.locator(".edit [data-part=cursor]").press("Home")
    expect(step).to_contain_text("step 1 / 5")
    assert pictured(page) != final
    page.locator(".edit [data-part=play]").click()
    expect(step).to_contain_text("step 5 / 5")
    assert pictured(page) == final


@pytest.mark.everywhere
def test_a_link_makes_the_edits_again(page: Page, tmp_path: Path) -> None:
    open_tab(page)
    link = page.locator(".edit [data-part=link]")
    expect(link).to_be_disabled()
    turn(page, "red cube", "Turn the red cube into a blue cube")
    turn(page, "cyan sphere", "Remove the cyan sphere")
    expect(link).to_be_enabled()
    query = (
        "view=edit&labels=red+cube,cyan+sphere&seed=0&sampler=ddim&steps=10&guidance=2"
        "&edits=blue+cube,cyan+sphere;blue+cube&edit_seed=0&edit_sampler=ddim&edit_steps=10&edit_guidance=2"
    )
    assert page.url.partition("?")[2].removesuffix("&lang=en") == query
    seen = page.evaluate(PIXELS)
    with page.expect_download() as download:
        page.locator(".edit [data-part=strip]").click()
    assert download.value.suggested_filename == "blue-cube_edited_strip.png"
    download.value.save_as(tmp_path / "strip.png")
    with Image.open(tmp_path / "strip.png") as strip:
        assert strip.size == (6 * 256, 2 * 192)
    page.reload()
    expect(page.locator(".edit [data-part=note]")).to_have_text("Edits so far: 2")
    expect(page.locator(".edit")).to_have_attribute("data-state", "done")
    expect(page.locator(".edit .objects")).to_have_text("blue cubeAdd one")
    assert page.evaluate(PIXELS) == seen
    page.get_by_label("25", exact=True).check()
    turn(page, "blue cube", "Turn the blue cube into a gray cube")
    expect(link).to_be_disabled()  # made in another way
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(link).to_be_enabled()


EDITED = "view=edit&labels=red+cube,cyan+sphere&seed=0&sampler=ddim&steps=10&guidance=2&lang=en"


@pytest.mark.everywhere
def test_another_language_makes_no_edit_again(page: Page) -> None:
    open_tab(page)
    turn(page, "red cube", "Turn the red cube into a blue cube")
    undo, note = page.locator(".edit [data-part=undo]"), page.locator(".edit [data-part=note]")
    page.locator("[data-language=zh-TW]").click()
    expect(undo).to_have_text("復原")
    expect(note).to_contain_text("1")
    undo.click()
    expect(note).to_contain_text("0")
    page.locator("[data-language=en]").click()
    expect(undo).to_have_text("Undo")
    expect(note).to_have_text("Edits so far: 0")
    expect(undo).to_be_disabled()


@pytest.mark.everywhere
def test_another_language_leaves_the_edits_of_a_link_to_be_made(page: Page, address: str) -> None:
    long = EDITED.replace("steps=10", "steps=1000")
    page.goto(f"{address}?{long}&edit_steps=10&edits=blue+cube,cyan+sphere;blue+cube")
    expect(page.locator("#stage [data-role=stage]")).to_have_attribute("data-state", "running")
    page.locator("[data-language=zh-TW]").click()
    expect(page.locator(".edit [data-part=undo]")).to_have_text("復原")
    page.locator("[data-language=en]").click()
    page.get_by_role("tab", name="Edit", exact=True).click()
    expect(page.locator(".edit [data-part=note]")).to_have_text("Edits so far: 2")


@pytest.mark.everywhere
def test_the_pages_own_model_edits_with_its_own_settings(page: Page, address: str) -> None:
    page.goto(f"{address}?view=edit&labels=red+cube&model=fast&edits=blue+cube&lang=en")
    page.get_by_role("tab", name="Edit", exact=True).click()
    expect(page.locator(".edit [data-part=note]")).to_have_text("Edits so far: 1")
    assert {"edit_steps=25", "edit_guidance=2", "model=fast"} <= set(page.url.split("?")[1].split("&"))


@pytest.mark.everywhere
def test_without_any_edit_the_newest_picture_is_where_they_begin(page: Page) -> None:
    open_tab(page)
    turn(page, "red cube", "Turn the red cube into a blue cube")
    page.evaluate("ddpm.ask('stage', ['green sphere'], 3, 'ddim', 5, 2, null)")
    expect(page.locator("#stage [data-role=requested]")).to_contain_text("green sphere")
    expect(state(page)).to_contain_text("Finished")
    page.get_by_role("tab", name="Edit", exact=True).click()
    expect(page.locator(".edit .objects")).to_have_text("blue cubecyan sphereAdd one")
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.locator(".edit .objects")).to_have_text("green sphereAdd one")
    expect(page.locator(".edit [data-part=note]")).to_have_text("Edits so far: 0")


def test_the_focus_stays_among_the_edits(page: Page) -> None:
    open_tab(page)
    here = "document.activeElement.closest('.edit .objects') !== null"
    page.locator(".edit .objects [data-label='red cube']").click()
    page.get_by_role("button", name="Turn the red cube into a blue cube", exact=True).press("Enter")
    expect(page.locator(".edit [data-part=note]")).to_have_text("Edits so far: 1")
    assert page.evaluate(here)
    page.get_by_role("button", name="Undo", exact=True).press("Enter")
    expect(page.locator(".edit [data-part=note]")).to_have_text("Edits so far: 0")
    assert page.evaluate(here)


@pytest.mark.everywhere
def test_the_edits_of_a_link_are_for_its_picture_alone(page: Page, address: str) -> None:
    page.goto(f"{address}?{EDITED.replace('steps=10', 'steps=1000')}&edits=blue+cube,cyan+sphere")
    expect(page.locator("#stage [data-role=stage]")).to_have_attribute("data-state", "running")
    page.evaluate("ddpm.ask('stage', ['green sphere'], 0, 'ddim', 5, 2, null)")  # as Generate does, but at once
    expect(state(page)).to_contain_text("Finished")
    page.get_by_role("tab", name="Edit", exact=True).click()
    expect(page.locator(".edit .objects")).to_have_text("green sphereAdd one")
    expect(page.locator(".edit [data-part=note]")).to_have_text("Edits so far: 0")


@pytest.mark.everywhere
def test_the_edits_of_a_link_end_where_one_is_wrong(page: Page, address: str) -> None:
    page.goto(f"{address}?{EDITED}&edits=red+cube,blue+sphere;red+cube,cian+sphere;red+cube")
    expect(page.locator(".edit [data-part=note]")).to_have_text("Edits so far: 1")
    expect(page.locator(".edit .objects")).to_have_text("red cubeblue sphereAdd one")
    expect(page.locator("#notice .problem")).to_contain_text("edits: left out red cube,cian sphere;red cube.")


def test_only_what_was_painted_changes(page: Page) -> None:
    open_tab(page)
    before = page.evaluate(PIXELS)
    page.get_by_role("button", name="Paint the place").click()
    canvas = page.locator(".edit .frame")
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.up()
    expect(page.get_by_role("button", name="Clear the paint")).to_be_enabled()
    page.get_by_role("button", name="Paint the place").click()
    expect(page.locator(".edit [data-part=note]")).to_contain_text("may change what was painted")
    turn(page, "red cube", "Turn the red cube into a blue cube")
    expect(page.locator(".edit [data-part=link]")).to_be_disabled()
    after = page.evaluate(PIXELS)
    changed = {(i % 64, i // 64) for i in range(64 * 64) if before[4 * i : 4 * i + 3] != after[4 * i : 4 * i + 3]}
    assert changed
    assert all((x - 32) ** 2 + (y - 32) ** 2 <= 5**2 for x, y in changed)


def test_a_click_in_the_picture_chooses_an_object(page: Page) -> None:
    open_tab(page)
    page.locator(".edit .frame").click(position={"x": 100, "y": 100})
    page.wait_for_function(
        """() => document.querySelector(".edit .objects [aria-pressed=true]")
            || document.querySelector(".edit [data-part=note]").textContent === "There is no object here.\""""
    )


PIXELS = """() => [...document.querySelector(".edit [data-part=picture]")
    .getContext("2d").getImageData(0, 0, 64, 64).data]"""
