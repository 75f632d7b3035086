"""The pages as they live: a session's figures move, a lost socket resumes, the kill switch ends a run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.person import PHONE, open_run, start_demo
from tests.live import LiveStack

#: Notes the number of each frame that a page takes of its run from here on.
NOTE_NUMBERS = """() => {
    window.seqs = [];
    for (const link of alphaswarm.links.filter((link) => link.resumes)) {
        const take = link.take;
        link.take = (frame) => { seqs.push(frame.seq); take.call(link, frame); };
    }
}"""


@pytest.fixture
def doomed(live_stack: LiveStack) -> str:
    """The id of a demo run that the test is going to end."""
    run_id: str = start_demo(live_stack)["run_id"]
    return run_id


@pytest.fixture
def released(live_stack: LiveStack) -> Iterator[None]:
    """The kill switch is let go again after the test."""
    yield
    live_stack.cli("kill", "release", "--reason", "the drill is over")


def test_a_session_appears_and_moves(page: Page, demo: str) -> None:
    session = page.locator(f"#session-{demo}")
    expect(session).to_be_visible()
    expect(page.locator("[data-link]")).to_have_attribute("data-state", "live")
    equity = session.locator(".figure").first
    expect(equity).not_to_have_text(equity.inner_text())
    expect(page.locator("#last-fills tbody tr").first).to_be_visible()


def test_it_says_at_a_glance_what_money_this_is(page: Page, demo: str) -> None:
    expect(page.locator(".bar .mode--synthetic")).to_contain_text("simulated money on made-up prices")


def test_a_run_draws_its_equity_and_its_bars(page: Page, live_stack: LiveStack, demo: str) -> None:
    open_run(page, live_stack, demo)
    expect(page.locator("#chart-equity canvas").first).to_be_visible()
    expect(page.locator("#chart-bars canvas").first).to_be_visible()
    expect(page.locator("#chart-equity .chart__empty")).to_be_hidden()
    expect(page.locator("[data-log] li").first).to_be_visible()


def test_tables_keep_focus_while_they_are_brought_up_to_date(page: Page, demo: str) -> None:
    link = page.locator(f"#session-{demo}").get_by_role("link")
    link.focus()
    equity = page.locator(f"#session-{demo} .figure").first
    expect(equity).not_to_have_text(equity.inner_text())
    expect(link).to_be_focused()


def test_nothing_moves_between_the_press_and_the_release_of_a_click(page: Page, demo: str) -> None:
    link = page.locator(f"#session-{demo}").get_by_role("link")
    link.hover()
    page.mouse.down()
    page.evaluate(
        "document.querySelector('#overview').prepend(Object.assign(document.createElement('hr'), {id: 'stays'}))"
    )
    with page.expect_response("**/ui/portfolio/"):
        page.evaluate("document.body.dispatchEvent(new CustomEvent('news'))")
    page.evaluate("new Promise((settled) => setTimeout(settled))")
    expect(page.locator("#stays")).to_have_count(1)
    page.mouse.move(0, 0)
    page.mouse.up()
    expect(page.locator("#stays")).to_have_count(0)


def test_a_dropped_socket_is_shown_and_resumes_without_a_gap(page: Page, live_stack: LiveStack, demo: str) -> None:
    open_run(page, live_stack, demo)
    link = page.locator("[data-link]")
    expect(link).to_have_attribute("data-state", "live")
    page.evaluate(NOTE_NUMBERS)
    page.wait_for_function("() => seqs.length")
    page.context.set_offline(True)
    expect(link).to_have_text("Connection lost, trying again")
    figure, faint = page.locator("#run .lead__figure"), "getComputedStyle(document.querySelector('#run .age')).color"
    expect(figure).to_have_css("color", page.evaluate(faint))
    before = page.evaluate("seqs.at(-1)")
    page.context.set_offline(False)
    expect(link).to_have_attribute("data-state", "live")
    page.wait_for_function(f"() => seqs.at(-1) > {before + 3}")
    seqs = page.evaluate("seqs")
    assert seqs == list(range(seqs[0], seqs[-1] + 1))
    expect(page.locator("[data-log]")).to_contain_text("connection.lost")
    expect(page.locator("[data-log]")).to_contain_text("connection.back")


def test_a_figure_that_grows_old_steps_back(page: Page, live_stack: LiveStack, demo: str) -> None:
    open_run(page, live_stack, demo)
    page.evaluate("alphaswarm.links.forEach((link) => { link.onFrames = () => {}; })")
    age = page.locator("#run [data-age]")
    age.evaluate("(shown) => { shown.dataset.staleAfter = 1; }")
    expect(age).to_have_class("age is-stale")


def test_the_theme_can_be_chosen_and_is_kept(page: Page) -> None:
    page.locator(".menu summary").click()
    switch = page.locator(".menu [data-theme-switch]")
    switch.click()
    switch.click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_stopping_asks_twice(page: Page, live_stack: LiveStack, doomed: str) -> None:
    open_run(page, live_stack, doomed)
    button = page.locator("#stop")
    button.click()
    expect(button).to_have_text("Press again to stop")
    button.click()
    expect(page.locator("#run .head .state")).to_have_text("stopped")


def test_the_kill_switch_ends_the_run(page: Page, live_stack: LiveStack, doomed: str, released: None) -> None:
    open_run(page, live_stack, doomed)
    page.locator(".kill__press").click()
    page.get_by_role("button", name="Engage now").click()
    expect(page.locator(".kill--engaged")).to_contain_text("Kill engaged")
    expect(page.locator("#run .head .state")).to_have_text("killed")
    page.goto(f"{live_stack.base_url}/ui/runs/new/")
    page.get_by_role("button", name="Start a session").click()
    expect(page.locator("#recipe-state")).to_contain_text("The kill switch is engaged")


def test_a_kill_that_does_not_arrive_is_told_as_such(page: Page) -> None:
    page.context.set_offline(True)
    page.locator(".kill__press").click()
    page.get_by_role("button", name="Engage now").click()
    expect(page.locator("[data-messages]")).to_contain_text("Not confirmed: the server cannot be reached")
    page.context.set_offline(False)


def test_two_taps_on_a_phone_engage_the_kill_switch_without_scripts_too(
    page: Page, live_stack: LiveStack, released: None
) -> None:
    browser = page.context.browser
    assert browser is not None
    kept = page.context.storage_state()
    plain = browser.new_context(java_script_enabled=False, viewport=PHONE, has_touch=True, storage_state=kept)
    phone = plain.new_page()
    phone.goto(f"{live_stack.base_url}/ui/portfolio/")
    phone.locator(".kill__press").tap()
    engage = phone.get_by_role("button", name="Engage now")
    expect(engage).to_be_in_viewport()
    engage.tap()
    expect(phone.locator("main")).to_contain_text("Engaged")
    plain.close()
