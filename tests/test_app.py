"""The page in a headless browser, as a visitor uses it."""

import pytest
from conftest import generate, state, tick
from playwright.sync_api import Page, expect


@pytest.mark.everywhere
def test_what_cannot_be_drawn_is_refused_with_a_message(page: Page) -> None:
    colors = ("gray", "red", "blue", "green", "brown", "purple")
    for labels, message in (
        ([], "Tick at least one object"),
        ([f"{color} cube" for color in colors], "at most 5 objects"),
    ):
        tick(page, *labels)
        generate(page).click()
        expect(page.locator("#selection .refused")).to_contain_text(message)
    tick(page, "red cube")
    page.get_by_label("Seed", exact=True).fill("-1")
    generate(page).click()
    expect(page.locator("#selection .refused")).to_contain_text("seed must be a whole number")
    expect(state(page)).to_contain_text("example")  # nothing was started


@pytest.mark.everywhere
def test_an_example_fills_the_boxes_and_the_dice_the_seed(page: Page) -> None:
    page.locator("#examples button:not(.chance)").last.click()
    expect(page.locator("#selection")).to_contain_text("5 of 5 ticked")
    expect(page.locator("input[type=checkbox]:checked")).to_have_count(5)
    page.get_by_role("button", name="Random seed").click()
    expect(page.get_by_label("Seed", exact=True)).not_to_have_value("0")
