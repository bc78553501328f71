"""Take it with you, in a headless browser: files, the link, presets and examples that start at once."""

import base64
import re
from pathlib import Path
from urllib.parse import parse_qs
from xml.etree import ElementTree

import numpy as np
import pytest
from conftest import STEPS, generate, state, tick
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import Locator, Page, expect

from app import CHECKPOINTS
from ddpm import Pipeline, recipe
from ddpm.demo.share.share import EXPERIMENTS, live, presets
from ddpm.demo.texts import TEXTS
from ddpm.settings import Settings
from ddpm.trajectory import to_uint8


def part(page: Page, role: str) -> Locator:
    return page.locator(f"#share [data-role={role}]")


def save(page: Page, name: str, folder: Path) -> Path:
    """Press the button, and return the file that comes."""
    with page.expect_download() as download:
        page.locator("#share").get_by_role("button", name=name, exact=True).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def choose_model(page: Page, name: str) -> None:
    choice = page.locator("#settings .model")
    if choice.locator("select").count():  # on the page without a server
        choice.locator("select").select_option(name)
    else:
        choice.locator("input").click()
        page.get_by_role("option", name=name, exact=True).click()


@pytest.mark.everywhere
def test_a_line_says_what_the_chosen_model_is(page: Page) -> None:
    line = page.locator("#settings .about-model p")
    expect(line).to_be_hidden()  # the page's own is not one of the project's
    choose_model(page, "report-taught")
    expect(line).to_contain_text("the course report that this page grew from")
    choose_model(page, "fast")
    expect(line).to_contain_text("four steps")
    page.get_by_role("link", name="中文").click()
    expect(line).to_contain_text("四步")


def draw(page: Page, *labels: str) -> None:
    tick(page, *labels)
    generate(page).click()
    expect(part(page, "run")).to_contain_text(labels[0])


def test_the_files_are_those_of_the_run_shown(page: Page, pipeline: Pipeline, tmp_path: Path) -> None:
    page.get_by_label("Seed", exact=True).fill("7")
    page.get_by_label("10", exact=True).check()
    draw(page, "red cube", "cyan sphere")
    expect(part(page, "run")).to_have_text(f"red cube, cyan sphere; seed 7; DDIM, 10 steps, guidance {2}")
    # What is changed now is for the next run.
    page.get_by_label("Seed", exact=True).fill("8")
    page.locator("input[name='gray cube']").check()
    files = [save(page, name, tmp_path) for name in ("Picture", "Film strip", "GIF", "Video", "Data")]
    assert [file.name for file in files] == [
        f"red-cube_cyan-sphere_seed7{ending}" for ending in (".png", "_strip.png", ".gif", ".mp4", ".npz")
    ]
    expected = pipeline.generate([["red cube", "cyan sphere"]], 7, steps=10)
    with Image.open(files[0]) as picture:
        np.testing.assert_array_equal(np.asarray(picture), to_uint8(expected[0]))
    with np.load(files[4]) as data:
        np.testing.assert_array_equal(data["x0"][-1], expected.numpy())
    expect(part(page, "status")).to_have_text("Saved: red-cube_cyan-sphere_seed7.npz")
    assert save(page, "Picture", tmp_path) == files[0]  # the same once more


def test_while_a_run_goes_on_there_is_nothing_to_save(page: Page) -> None:
    expect(part(page, "run")).to_contain_text("red cube")  # the example is finished
    page.get_by_label("1000", exact=True).check()
    generate(page).click()
    expect(part(page, "run")).to_have_text("As soon as a picture is finished, it can be saved here.")
    for button in page.locator("#share .files button:not([data-role=open])").all():
        expect(button).to_be_disabled()


@pytest.mark.everywhere
def test_the_files_of_a_stopped_run_are_those_of_its_steps(page: Page, pipeline: Pipeline, tmp_path: Path) -> None:
    page.get_by_label("1000", exact=True).check()
    tick(page, "red cube")
    generate(page).click()
    expect(state(page)).to_contain_text("left")
    page.get_by_role("button", name="Stop").first.click()
    expect(part(page, "run")).to_contain_text("red cube; seed 0; stopped after")
    taken = int(part(page, "run").inner_text().split()[-4])
    assert 1 <= taken < 1000
    assert page.url.partition("?")[2].count("labels") == 0  # a link would draw all of it
    files = [save(page, name, tmp_path) for name in ("Picture", "Data")]
    assert [file.name for file in files] == [f"red-cube_seed0_step{taken}{ending}" for ending in (".png", ".npz")]
    *_, last = zip(range(taken), pipeline.stream([["red cube"]], steps=1000), strict=False)
    with np.load(files[1]) as data:
        assert (len(data["timesteps"]), int(data["steps"])) == (taken, 1000)
        np.testing.assert_allclose(data["x0"][-1], last[1].x0.numpy(), atol=0.02)
    generate(page).click()
    expect(part(page, "run")).to_have_text("As soon as a picture is finished, it can be saved here.")


@pytest.mark.everywhere
def test_captions_stand_below_by_choice(page: Page, tmp_path: Path) -> None:
    page.get_by_label("10", exact=True).check()
    draw(page, "red cube", "cyan sphere")
    names = ("Large picture", "Film strip", "GIF")
    plain = [save(page, name, tmp_path) for name in names]
    sizes = [Image.open(file).size for file in plain]
    part(page, "captions").check()
    for name, (width, height) in zip(names, sizes, strict=True):
        with Image.open(save(page, name, tmp_path)) as picture:
            assert picture.size == (width, height + (56 if name == "GIF" else 112))
            band = np.asarray(picture.convert("L"))[height:]
            assert 0.01 < (band < 128).mean() < 0.2  # letters on paper
    assert Image.open(save(page, "Picture", tmp_path)).size == (64, 64)


@pytest.mark.everywhere
def test_the_link_restores_labels_seed_and_settings(page: Page) -> None:
    assert "labels" not in page.url
    page.get_by_label("Seed", exact=True).fill("7")
    page.get_by_label("DPM-Solver++", exact=True).check()
    page.get_by_label("10", exact=True).check()
    draw(page, "red cube", "cyan sphere")
    assert page.url.endswith("/?labels=red+cube,cyan+sphere&seed=7&sampler=dpm%2B%2B&steps=10&guidance=2")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy link").click()
    expect(part(page, "status")).to_have_text("Link copied.")
    assert page.evaluate("navigator.clipboard.readText()") == page.url

    page.reload()
    expect(page.locator("#notice")).to_contain_text("From the link")
    expect(page.locator("#selection")).to_contain_text("red cube, cyan sphere")
    expect(page.get_by_label("Seed", exact=True)).to_have_value("7")
    expect(page.get_by_label("DPM-Solver++", exact=True)).to_be_checked()
    expect(page.get_by_label("10", exact=True)).to_be_checked()
    generate(page).click()
    expect(part(page, "run")).to_contain_text("red cube, cyan sphere; seed 7; DPM-Solver++, 10 steps")
    expect(page.locator("#notice")).to_be_hidden()


@pytest.mark.everywhere
def test_another_model_is_chosen_with_settings_of_its_own_and_named_by_the_link(
    page: Page, address: str, tmp_path: Path
) -> None:
    page.goto(f"{address}?labels=red+cube&seed=3&sampler=ddim&steps=2&guidance=1&model=default&lang=en")
    words = "red cube; seed 3; model default, DDIM, 2 steps, guidance 1"
    expect(part(page, "run")).to_have_text(words)
    query = "labels=red+cube&seed=3&sampler=ddim&steps=2&guidance=1&model=default"
    assert page.url.endswith(f"?{query}&lang=en")
    with Image.open(save(page, "Picture", tmp_path)) as picture:
        assert picture.text == {"ddpm": query}  # type: ignore[attr-defined]
        found = np.asarray(picture).astype(int)
    other = Pipeline.from_pretrained(CHECKPOINTS / "default", "cpu")
    wanted = to_uint8(other.generate([["red cube"]], 3, "ddim", 2, 1.0)[0]).astype(int)
    assert np.abs(found - wanted).mean() < 3  # in another precision, perhaps
    choose_model(page, "tiny")
    expect(page.get_by_label(str(STEPS), exact=True)).to_be_checked()
    generate(page).click()
    expect(part(page, "run")).to_have_text(f"red cube; seed 3; DDIM, {STEPS} steps, guidance 2")
    assert "model" not in page.url
    page.locator("#share [data-role=history] button").nth(1).click()
    expect(part(page, "run")).to_have_text(words)
    page.goto(f"{address}?labels=red+cube&steps=2&guidance=1&model=other&lang=en")
    expect(page.locator("#notice .problem")).to_contain_text("The model “other” is none of tiny, ")
    expect(part(page, "run")).to_have_text(f"red cube; seed 0; DDIM, {STEPS} steps, guidance 2")


@pytest.mark.everywhere
def test_a_link_that_names_a_model_alone_has_its_settings(page: Page, address: str) -> None:
    page.goto(f"{address}?labels=red+cube&model=fast&lang=en")
    expect(part(page, "run")).to_have_text("red cube; seed 0; model fast, DDIM, 4 steps, guidance 1")
    page.goto(f"{address}?labels=red+cube&model=fast&steps=2&lang=en")
    expect(part(page, "run")).to_have_text("red cube; seed 0; model fast, DDIM, 2 steps, guidance 1")
    page.goto(f"{address}?labels=red+cube&model=fast&steps=abc&lang=en")
    expect(part(page, "run")).to_have_text("red cube; seed 0; model fast, DDIM, 4 steps, guidance 1")


def test_after_a_refusal_the_finished_picture_can_still_be_saved(page: Page) -> None:
    generate(page).click()
    expect(state(page)).to_contain_text("Finished")
    page.evaluate("ddpm.ask('stage', ['red cube'], 0, 'ddim', 100000, 1, null)")
    expect(page.locator("#stage [data-role=stage]")).to_have_attribute("data-state", re.compile("refused|failed"))
    expect(part(page, "run")).to_contain_text("red cube, cyan sphere")
    expect(page.locator("#share [data-format=png]")).to_be_enabled()


@pytest.mark.everywhere
def test_the_focus_stays_on_the_button_that_saved(page: Page, tmp_path: Path) -> None:
    generate(page).click()
    expect(state(page)).to_contain_text("Finished")
    with page.expect_download():
        page.locator("#share [data-format=png]").press("Enter")
    expect(part(page, "status")).to_contain_text("Saved")
    assert page.evaluate("document.activeElement.dataset.format") == "png"


@pytest.mark.everywhere
def test_what_is_wrong_in_a_link_is_named_and_left_out(page: Page, address: str) -> None:
    page.goto(f"{address}?labels=pink+cube,blue+sphere&seed=-3&sampler=euler&steps=37&guidance=99&lang=en")
    notice = page.locator("#notice")
    for words in ("pink cube", "“-3”", "“euler”", "“37”", "“99”"):
        expect(notice.locator(".problem", has_text=words)).to_be_visible()
    expect(page.locator("#selection")).to_contain_text("1 of 5 ticked")
    expect(page.get_by_label("Seed", exact=True)).to_have_value("0")
    expect(page.get_by_label("DDIM", exact=True)).to_be_checked()
    generate(page).click()
    expect(part(page, "run")).to_contain_text("blue sphere; seed 0")
    assert page.url.endswith(f"steps={STEPS}&guidance=2&lang=en")  # what else stands in the address stays


def test_a_link_without_parameters_changes_nothing(page: Page) -> None:
    expect(page.locator("#notice")).to_be_hidden()
    expect(page.locator("#selection")).to_contain_text("2 of 5 ticked")


@pytest.mark.parametrize(
    ("name", "steps", "words"),
    [
        ("Four steps", 4, "model fast, DDIM, 4 steps, guidance 1"),
        ("Fast", 10, "seed 0; DPM-Solver++, 10 steps, guidance 2.5"),
        ("Accurate", 25, "seed 0; SDE-DPM-Solver++, 25 steps, guidance 2.5"),
    ],
)
@pytest.mark.everywhere
def test_a_preset_starts_at_once(page: Page, name: str, steps: int, words: str) -> None:
    page.locator("#presets").get_by_role("button", name=name).click()
    expect(part(page, "run")).to_contain_text(words)
    expect(page.get_by_label(str(steps), exact=True)).to_be_checked()


def test_without_a_student_the_fast_preset_draws_live(pipeline: Pipeline) -> None:
    assert [*presets({"own": pipeline.config})] == ["fast", "accurate", "textbook"]
    assert '["dpm++", 10, 2.5, "own"]' in live({"own": pipeline.config})


@pytest.mark.everywhere
def test_an_example_starts_at_once(page: Page) -> None:
    page.locator("#examples button").nth(1).click()
    expect(part(page, "run")).to_contain_text("green cube, purple sphere, yellow cylinder; seed 0")


DROP = """async ([name, base64]) => {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], name, { type: "image/png" }));
    const event = new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true });
    document.querySelector("#picker").dispatchEvent(event);
}"""


def drop(page: Page, file: Path) -> None:
    """Drop a file on the page."""
    page.evaluate(DROP, [file.name, base64.b64encode(file.read_bytes()).decode()])


@pytest.mark.everywhere
def test_a_saved_picture_that_is_dropped_on_the_page_is_drawn_again(page: Page, tmp_path: Path) -> None:
    page.get_by_label("Seed", exact=True).fill("7")
    page.get_by_label("DPM-Solver++", exact=True).check()
    page.get_by_label("10", exact=True).check()
    draw(page, "red cube", "cyan sphere")
    saved = [save(page, name, tmp_path) for name in ("Picture", "Film strip")]
    query = page.url.partition("?")[2]
    for file in saved:
        with Image.open(file) as picture:
            assert picture.text == {"ddpm": query}  # type: ignore[attr-defined]
        page.get_by_label("Seed", exact=True).fill("1")
        page.get_by_label("DDIM", exact=True).check()
        page.get_by_label("25", exact=True).check()
        draw(page, "gray cube")
        drop(page, file)
        expect(part(page, "run")).to_have_text("red cube, cyan sphere; seed 7; DPM-Solver++, 10 steps, guidance 2")
        expect(page.locator("#notice")).to_have_text("From the picture: labels, seed and settings are set.")
        expect(page.locator("input[type=checkbox]:checked")).to_have_count(2)
        assert page.url.partition("?")[2] == query
    generate(page).click()
    expect(page.locator("#notice")).to_be_empty()


def test_a_saved_picture_can_be_chosen_with_a_button(page: Page, tmp_path: Path) -> None:
    draw(page, "red cube")
    file = save(page, "Picture", tmp_path)
    draw(page, "gray cube")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Open picture").click()
    chooser.value.set_files(file)
    expect(part(page, "run")).to_contain_text("red cube; seed 0")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("other.png", b"\x89PNG\r\n\x1a\n" + b"\xff" * 40),
        ("empty.png", b""),
        ("text.txt", b"hello"),
        ("cut.png", b"\x89PNG\r\n\x1a\n\0\0\0\x20tEXtddpm\0"),
    ],
)
def test_a_file_that_carries_nothing_is_named_and_changes_nothing(
    page: Page, tmp_path: Path, name: str, content: bytes
) -> None:
    draw(page, "red cube")
    (tmp_path / name).write_bytes(content)
    drop(page, tmp_path / name)
    if name == "cut.png":  # an empty query restores nothing
        expect(page.locator("#notice")).to_be_empty()
    else:
        expect(part(page, "status")).to_contain_text(f"{name} does not say how it was drawn")
    expect(part(page, "run")).to_contain_text("red cube; seed 0")


def test_a_forged_picture_is_checked_like_a_link(page: Page, tmp_path: Path) -> None:
    info = PngInfo()
    info.add_text("ddpm", "labels=pink+cube&seed=-1&sampler=x&steps=7&guidance=99")
    Image.new("RGB", (64, 64)).save(tmp_path / "forged.png", pnginfo=info)
    drop(page, tmp_path / "forged.png")
    for problem in ("Left out: pink cube", "The seed “-1”", "The sampler “x”", "The steps “7”", "The guidance “99”"):
        expect(page.locator("#notice")).to_contain_text(problem)


def test_the_query_of_a_picture_is_that_of_the_link() -> None:
    settings = Settings("sde-dpm++", 25, 2.5)
    assert recipe.query(["red cube", "cyan sphere"], 7, settings) == (
        "labels=red+cube,cyan+sphere&seed=7&sampler=sde-dpm%2B%2B&steps=25&guidance=2.5"
    )
    empty = recipe.query([], 2**53 - 1, Settings("ddim", 1, 0.0))
    assert empty == "labels=&seed=9007199254740991&sampler=ddim&steps=1&guidance=0"


@pytest.mark.everywhere
def test_the_chart_is_a_drawing_of_its_own(page: Page, tmp_path: Path) -> None:
    draw(page, "red cube", "cyan sphere")
    expect(state(page)).to_contain_text("Finished")
    file = save(page, "Chart (SVG)", tmp_path)
    assert file.name == "red-cube_cyan-sphere_seed0_chart.svg"
    root = ElementTree.parse(file).getroot()
    words = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"red cube", "cyan sphere", "100\u202f%"} <= set(words)
    strokes = {path.get("stroke") for path in root.iter("{http://www.w3.org/2000/svg}path")}
    assert {"rgb(173, 35, 35)", "rgb(41, 208, 208)"} <= strokes
    assert "var(" not in file.read_text(encoding="utf-8")
    with Image.open(save(page, "Chart (PNG)", tmp_path)) as picture:
        assert picture.size == (2 * int(root.get("width")), 2 * int(root.get("height")))
        found = {color for _, color in picture.convert("RGB").getcolors(1 << 24)}
    assert {(173, 35, 35), (41, 208, 208)} <= found


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPERIMENTS)
@pytest.mark.everywhere
def test_an_experiment_sets_everything_and_says_what_to_see(page: Page, name: str) -> None:
    wanted = parse_qs(EXPERIMENTS[name])
    page.get_by_role("button", name=TEXTS["en"][f"share.try_{name}"], exact=True).click()
    expect(page.locator("#notice")).to_have_text(TEXTS["en"][f"share.from_try_{name}"])
    expect(state(page)).to_contain_text("Finished")
    expect(page.get_by_label("Seed", exact=True)).to_have_value(wanted["seed"][0])
    ticked = page.locator(".shape-row input:checked").evaluate_all("(all) => all.map((box) => box.name)")
    assert set(ticked) == set(wanted["labels"][0].split(","))
    expect(page.get_by_label(wanted["steps"][0], exact=True)).to_be_checked()
    expect(part(page, "run")).to_contain_text(f"guidance {wanted['guidance'][0]}")


@pytest.mark.everywhere
def test_an_earlier_run_of_the_visit_is_a_click_away(page: Page) -> None:
    expect(part(page, "visit")).to_be_hidden()
    for label in ("red cube", "cyan sphere", "red cube"):
        draw(page, label)
        expect(state(page)).to_contain_text("Finished")
    thumbs = part(page, "history").get_by_role("button")
    expect(thumbs).to_have_count(2)  # what was drawn twice stands once, the newest first
    expect(thumbs.nth(1)).to_have_attribute("title", "cyan sphere")
    thumbs.nth(1).click()
    expect(part(page, "run")).to_contain_text("cyan sphere; seed 0")
    expect(page.locator("input[name='cyan sphere']")).to_be_checked()
    expect(thumbs.first).to_have_attribute("title", "cyan sphere")


def copied(page: Page, name: str) -> str:
    """The query of the link that a part's button copies."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator(f".{name} [data-part=link]").click()
    expect(page.locator(f".{name} .take [role=status]")).to_have_text("Link copied.")
    address, _, query = page.evaluate("navigator.clipboard.readText()").partition("?")
    assert address == page.url.partition("?")[0]
    return str(query)


def finished(page: Page, name: str) -> Locator:
    screen = page.locator(f".{name}")
    expect(screen).to_have_attribute("data-state", "done")
    expect(screen).to_be_visible()
    return screen


GALLERY = "view=gallery&labels=red+cube,cyan+sphere&seed=7&count=3&sampler=ddim&steps=2&guidance=1&model=tiny"
WALK = (
    "view=walk&labels=red+cube,cyan+sphere&seed=7&way=labels&to_seed=5&to_labels=gray+cube,blue+cylinder&stops=6"
    "&sampler=ddim&steps=2&guidance=1&model=tiny"
)
COMPARISON = (
    "view=compare&labels=red+cube,cyan+sphere&seed=7&a_model=tiny&a_sampler=dpm%2B%2B&a_steps=3&a_guidance=1"
    "&b_model=default&b_sampler=ddim&b_steps=2&b_guidance=1.5"
)


@pytest.mark.everywhere
def test_a_link_leads_to_a_gallery(page: Page, address: str) -> None:
    page.goto(f"{address}?{GALLERY}&lang=en")
    gallery = finished(page, "gallery")
    expect(gallery.locator(".tiles button")).to_have_count(3)
    expect(gallery.locator("[data-part=seed]").first).to_have_text("seed 7")
    expect(page.locator("#selection")).to_contain_text("red cube, cyan sphere")
    assert page.url.endswith(f"?{GALLERY}&lang=en")
    assert copied(page, "gallery") == GALLERY


@pytest.mark.everywhere
def test_a_link_leads_to_a_walk(page: Page, address: str) -> None:
    page.goto(f"{address}?{WALK}&lang=en")
    walk = finished(page, "walk")
    expect(walk.locator(".stops button")).to_have_count(6)
    expect(walk.locator("[data-part=to]")).to_have_text("gray cube, blue cylinder")
    assert copied(page, "walk") == WALK


@pytest.mark.everywhere
@pytest.mark.parametrize("other", ["", "&b_labels=gray+cube&b_seed=9"])
def test_a_link_leads_to_a_comparison(page: Page, address: str, other: str) -> None:
    page.goto(f"{address}?{COMPARISON}{other}&lang=en")
    compare = finished(page, "compare")
    names = compare.locator("[data-part=name]").all_inner_texts()
    assert names[0].startswith("tiny: DPM-Solver++, 3 steps, guidance 1")
    assert names[1].startswith("default: DDIM, 2 steps, guidance 1.5")
    scenes = [name.partition("; ")[2] for name in names]
    assert scenes == (["red cube, cyan sphere; seed 7", "gray cube; seed 9"] if other else ["", ""])
    assert copied(page, "compare") == COMPARISON + other


@pytest.mark.everywhere
def test_what_is_wrong_in_a_link_to_a_part_is_named(page: Page, address: str) -> None:
    query = GALLERY.replace("count=3", "count=99").replace("model=tiny", "model=mine") + "&a_steps=-2&lang=en"
    page.goto(f"{address}?{query}")
    finished(page, "gallery")
    problems = page.locator("#notice .problem")
    expect(problems.filter(has_text="count: “99” is not a whole number from 1 to 16")).to_be_visible()
    expect(problems.filter(has_text="The model “mine” is none of tiny")).to_be_visible()
    expect(problems).to_have_count(2)  # the comparison's steps are not the gallery's
    page.goto(f"{address}?view=attic&labels=red+cube&steps=2&lang=en")
    expect(problems.filter(has_text="view: “attic” is none of stage, compare, edit, gallery, walk")).to_be_visible()
    expect(part(page, "run")).to_contain_text("red cube; seed 0; DDIM, 2 steps")
    page.goto(f"{address}?{COMPARISON}&b_labels=gray+cube,gold+cube&b_seed=9&lang=en")
    finished(page, "compare")
    expect(problems).to_contain_text(["b_labels: left out gold cube. An object is a color and a shape"])


@pytest.mark.everywhere
def test_an_unknown_model_takes_its_settings_with_it(page: Page, address: str) -> None:
    query = COMPARISON.replace("b_model=default", "b_model=mine") + "&b_labels=&lang=en"
    page.goto(f"{address}?{query}")
    compare = finished(page, "compare")
    expect(page.locator("#notice .problem")).to_have_count(1)
    expect(page.locator("#notice .problem")).to_contain_text("The model “mine” is none of tiny, ")
    names = compare.locator("[data-part=name]").all_inner_texts()
    assert names == ["tiny: DPM-Solver++, 3 steps, guidance 1", f"tiny: DDIM, {STEPS} steps, guidance 1"]


@pytest.mark.everywhere
def test_draw_has_its_example_after_a_link_to_another_tab(page: Page, address: str) -> None:
    page.goto(f"{address}?{GALLERY}&lang=en")
    finished(page, "gallery")
    page.get_by_role("tab", name="Draw", exact=True).click()
    expect(part(page, "run")).to_contain_text("red cube, cyan sphere; seed 0")
    expect(page.locator("#notice p")).to_be_visible()
    generate(page).click()
    expect(page.locator("#notice")).to_be_hidden()


@pytest.mark.everywhere
def test_a_picture_of_a_stopped_run_says_so_when_it_is_opened(page: Page, pipeline: Pipeline, tmp_path: Path) -> None:
    run = pipeline.trajectory([["red cube"]], 5, "ddim", 10, 1.0).until(4)
    run.save_png(tmp_path / "stopped.png")
    drop(page, tmp_path / "stopped.png")
    expect(part(page, "run")).to_have_text("red cube; seed 5; DDIM, 10 steps, guidance 1")
    expect(page.locator("#notice")).to_contain_text("stopped after 4 steps; here it is drawn to the end")
    assert "until" not in page.url


@pytest.mark.everywhere
def test_two_runs_of_the_visit_are_compared(page: Page) -> None:
    pair = part(page, "pair")
    expect(pair).to_be_hidden()
    for label, seed in (("red cube", "7"), ("cyan sphere", "8")):
        page.get_by_label("Seed", exact=True).fill(seed)
        draw(page, label)
        expect(state(page)).to_contain_text("Finished")
    pair.click()
    thumbs = part(page, "history").get_by_role("button")
    for i in (0, 0, 0, 1):  # chosen, not chosen, chosen
        thumbs.nth(i).click()
    names = finished(page, "compare").locator("[data-part=name]")
    expect(names.first).to_contain_text("red cube; seed 7")  # the older one
    expect(names.last).to_contain_text("cyan sphere; seed 8")
    expect(page.locator("#notice")).to_have_text("Two runs of this visit, side by side.")
    expect(pair).to_have_attribute("aria-pressed", "false")
    page.locator("#compare-start").click()  # by itself the tab compares one scene with itself
    expect(names.last).not_to_contain_text("seed 8")
