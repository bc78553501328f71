"""The page speaks English and Traditional Chinese: all of it, and the language can be changed at any time."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import PATIENCE
from playwright.sync_api import Browser, Page, expect

from ddpm.demo import texts
from ddpm.demo.adapter.page import KEYS
from ddpm.demo.share.share import EXPERIMENTS
from ddpm.labels import COLORS, LABELS, SHAPES
from ddpm.samplers import SAMPLERS

DEMO = Path(texts.__file__).parent
AREAS = sorted((DEMO / "texts").glob("*.json"))
NAME = r"([a-z_]+\.[a-z0-9_]+)"
USED = re.compile(rf"""(?:data-(?:text|html)(?:-\w+)?="|\b(?:text|say)\((?:[^"']+, )?["']){NAME}["']""")

ASK_FOR = """async (name) => {
    const link = document.querySelector("link[rel=modulepreload][href$='texts.js']");
    return (await import(link.href)).text(name);
}"""


@contextmanager
def opened(browser: Browser, address: str, locale: str) -> Iterator[Page]:
    """The page as a visitor with this language in the browser sees it; the console stays free of errors."""
    page = browser.new_page(locale=locale, viewport={"width": 1280, "height": 900})
    page.set_default_timeout(PATIENCE)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(address)
    expect(page.locator("#selection b")).not_to_be_empty()
    yield page
    page.close()
    assert errors == []


def expect_chinese(page: Page) -> None:
    expect(page.locator("html")).to_have_attribute("lang", "zh-TW")
    expect(page).to_have_title("看場景從雜訊中浮現")
    expect(page.locator("h1")).to_have_text("看場景從雜訊中浮現")
    expect(page.get_by_role("button", name="生成")).to_be_visible()  # a component's label
    expect(page.get_by_label("種子", exact=True)).to_be_visible()
    expect(page.locator("label:has(input[name='cyan sphere'])")).to_have_text("青色")  # a choice
    expect(page.locator("#selection")).to_contain_text("紅色立方體、青色球體")  # what a script has written


def expect_english(page: Page) -> None:
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page).to_have_title("Watch a scene come out of noise")
    expect(page.locator("h1")).to_have_text("Watch a scene come out of noise")
    expect(page.get_by_role("button", name="Generate")).to_be_visible()
    expect(page.get_by_label("Seed", exact=True)).to_be_visible()
    expect(page.locator("label:has(input[name='cyan sphere'])")).to_have_text("cyan")
    expect(page.locator("#selection")).to_contain_text("red cube, cyan sphere")


@pytest.mark.parametrize("file", AREAS, ids=lambda file: file.stem)
def test_an_area_says_the_same_in_both_languages(file: Path) -> None:
    area = json.loads(file.read_text(encoding="utf-8"))
    assert list(area) == list(texts.LANGUAGES)
    english, chinese = area.values()
    assert list(english) == list(chinese)
    for key in english:
        assert english[key].strip() and chinese[key].strip(), key
        for part in (r"\{\w+\}", r"</?\w+"):  # values to put in, and tags
            assert sorted(re.findall(part, english[key])) == sorted(re.findall(part, chinese[key])), key


def test_every_text_that_the_page_names_is_there() -> None:
    used = {
        (file.name, name)
        for file in DEMO.glob("*/*.*")
        if file.suffix in (".html", ".js") and file.name != "texts.js"
        for name in USED.findall(file.read_text(encoding="utf-8"))
    }
    assert len(used) > 3
    assert {(file, name) for file, name in used if name not in texts.TEXTS["en"]} == set()
    assert {f"label.{word}" for word in COLORS + SHAPES} <= texts.TEXTS["en"].keys()


SOURCES = ("link", "picture", "history", "pair", *(f"try_{name}" for name in EXPERIMENTS))
STATES = ("waiting", "running", "done", "stopped", "failed")
GROUPS = ("found", "missing", "unrequested", "repeated")
COMPOSED = {
    "${name}.empty": [f"{part}.empty" for part in ("compare", "gallery", "walk", "edit")],
    "activity.${kind}": [f"activity.{group}" for group in GROUPS],
    "activity.${group}_names": [f"activity.{group}_names" for group in GROUPS[1:]],
    'activity.${state === "asked" ? "waiting" : state}': [f"activity.{state}" for state in STATES],
    "label.${name}": [f"label.{label}" for label in LABELS],
    "player.${icon}": [f"player.{icon}" for icon in ("back", "on", "play", "pause")],
    "picker.${shape}": [f"picker.{shape}" for shape in SHAPES],
    "terms.${word.dataset.term}": [f"terms.{term}" for term in ("x", "x0", "step", "t", "noise", "snr")],
    "share.bad_${problem}": [f"share.bad_{problem}" for problem in (*KEYS, "choice", "range", "whole")],
    "share.from_${source}": [f"share.from_{source}" for source in SOURCES],
    "share.${what}": [f"share.{what}" for what in ("run", "run_of", "stopped_run")],
    "share.sampler_${sampler}": [f"share.sampler_{sampler}" for sampler in SAMPLERS],
    'stage.${WORDS[group][done ? "done" : "open"]}': [
        f"stage.{word}" for word in ("seen", "found", "not_yet", "missing", "extra", "twice")
    ],
    "stage.${missing}": ["stage.first", "stage.no_pull"],
    "stage.${this.view}": ["stage.pull", "stage.change", "stage.eps"],
    "stage.${this.view}_note": ["stage.pull_note", "stage.change_note", "stage.eps_note"],
    "stage.${value}": ["stage.pull", "stage.change", "stage.eps"],
    "stage.state_${name}": [f"stage.state_{state}" for state in (*STATES, "refused", "example")],
}
"""Each name that a script puts together, and all that it can become."""


def test_every_text_whose_name_is_put_together_is_there() -> None:
    scripts = "".join(file.read_text(encoding="utf-8") for file in sorted(DEMO.glob("*/*.js")))
    composed = {
        name
        for name in re.findall(r"`((?:[a-z]+|\$\{name\})\.[a-z_]*(?:\$\{[^`]*\}[a-z_]*|empty))`", scripts)
        if not name.startswith("circle.")  # a selector
    }
    assert composed == set(COMPOSED)
    assert {name for names in COMPOSED.values() for name in names} <= texts.TEXTS["en"].keys()


def test_the_page_complains_of_a_text_that_is_not_there(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.goto(address)
    expect(page.locator("#selection b")).not_to_be_empty()
    with page.expect_console_message(lambda message: message.type == "error") as complaint:
        assert page.evaluate(ASK_FOR, "stage.nonsense") == "stage.nonsense"
    assert complaint.value.text == "no text is called stage.nonsense"
    page.close()


SAY = """async (verdict) => {
    const link = document.querySelector("link[rel=modulepreload][href$='/verdicts.js']");
    const { badge, list, right, words } = await import(link.href);
    return [right(verdict), words(verdict), list(verdict), badge(verdict)];
}"""


def test_an_object_that_was_drawn_twice_is_no_success(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.goto(address)
    expect(page.locator("#selection b")).not_to_be_empty()
    verdict = {"found": {"red cube": 0.99}, "missing": {}, "unrequested": {}, "repeated": {"red cube": 0.99}}
    said = page.evaluate(SAY, verdict)
    assert said[:2] == [False, "Twice: red cube."]
    assert "drawn twice 99\u202f%" in said[2] and "found" not in said[2]
    assert "2\u00d7" in said[3]
    verdict["found"], verdict["unrequested"] = {}, {"red cube": 0.99}
    assert "extra, drawn twice 99\u202f%" in page.evaluate(SAY, verdict)[2]
    page.close()


def test_a_text_that_is_not_there_is_refused() -> None:
    with pytest.raises(KeyError, match="no text is called 'picker.nonsense'"):
        texts.text("picker.nonsense")
    with pytest.raises(KeyError):
        texts.element("h2", "nonsense")


def test_the_browsers_language_is_spoken(browser: Browser, address: str) -> None:
    with opened(browser, address, "zh-TW") as page:
        expect_chinese(page)


@pytest.mark.parametrize("locale", ["zh-HK", "zh-Hant-TW"])
def test_who_reads_traditional_characters_gets_them(browser: Browser, address: str, locale: str) -> None:
    with opened(browser, address, locale) as page:
        expect_chinese(page)


@pytest.mark.parametrize("locale", ["zh-CN", "zh-SG", "fr-FR"])
def test_every_other_language_gets_english_throughout(browser: Browser, address: str, locale: str) -> None:
    with opened(browser, address, locale) as page:
        expect(page.locator("html")).to_have_attribute("lang", "en")
        expect(page.locator("#picker h2")).to_have_text("What should be in the scene?")
        expect(page.get_by_role("button", name="Generate", exact=True)).to_be_visible()


def test_a_link_names_the_language(browser: Browser, address: str) -> None:
    with opened(browser, f"{address}?lang=zh-TW", "en-US") as page:
        expect_chinese(page)


@pytest.mark.parametrize("locale", ["en-US", "de-DE"])
def test_others_get_english_throughout(browser: Browser, address: str, locale: str) -> None:
    with opened(browser, address, locale) as page:
        expect_english(page)


def test_the_switch_changes_everything_in_place(browser: Browser, address: str) -> None:
    with opened(browser, f"{address}?seed=7", "en-US") as page:
        expect_english(page)
        expect(page.get_by_label("Seed", exact=True)).to_have_value("7")  # the link is read
        page.get_by_label("Seed", exact=True).fill("5")
        page.get_by_role("link", name="中文").click()
        expect_chinese(page)
        assert page.url.endswith("?seed=7&lang=zh-TW")  # to share, and for the next visit
        expect(page.get_by_role("link", name="中文")).to_have_attribute("aria-current", "true")
        expect(page.get_by_label("種子", exact=True)).to_have_value("5")
        page.get_by_role("link", name="English").click()
        expect_english(page)


@pytest.mark.parametrize("pause", [0, 10, 40])  # ms; a language is loaded when it is first asked for
def test_the_last_of_two_quick_changes_wins(browser: Browser, address: str, pause: int) -> None:
    with opened(browser, address, "en-US") as page:
        expect(page.get_by_role("button", name="Settings")).to_be_visible()
        page.evaluate(
            """async (pause) => {
                document.querySelector("[data-language=zh-TW]").click();
                await new Promise((resolve) => setTimeout(resolve, pause));
                document.querySelector("[data-language=en]").click();
            }""",
            pause,
        )
        page.wait_for_timeout(1000)  # as long as both changes take, and then some
        expect_english(page)
        page.get_by_role("link", name="中文").click()
        expect_chinese(page)


@pytest.mark.parametrize("locale", ["fr-FR", "zh-CN"])
def test_a_links_language_wins_over_the_browsers(browser: Browser, address: str, locale: str) -> None:
    with opened(browser, f"{address}?lang=zh-TW", locale) as page:
        page.wait_for_timeout(1000)
        expect_chinese(page)


def test_the_choice_in_gradios_settings_is_followed(browser: Browser, address: str) -> None:
    with opened(browser, address, "en-US") as page:
        page.get_by_role("button", name="Settings").click()
        page.get_by_role("dialog").get_by_label("Language").fill("繁體中文")
        page.get_by_role("option", name="繁體中文").click()
        page.keyboard.press("Escape")
        expect(page.locator("h1")).to_have_text("看場景從雜訊中浮現")


def test_an_edit_speaks_the_language(browser: Browser, address: str) -> None:
    with opened(browser, f"{address}?lang=zh-TW", "en-US") as page:
        page.get_by_role("tab", name="編輯").click()
        page.locator(".edit .objects").get_by_role("button", name="紅色立方體").click()
        page.get_by_role("button", name="把紅色立方體變成藍色立方體").click()
        expect(page.locator(".edit .verdict")).to_contain_text("藍色立方體")
