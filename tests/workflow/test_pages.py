"""The report and the explorer in a browser: what they show and ask for, by key, and on a narrow screen."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from support import at

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PAGES = ("report.html", "explorer.html")


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        yield driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


@pytest.fixture
def opened(browser, finished):
    """A page of the finished study by name, and what it complained of and asked for."""
    context = browser.new_context(viewport={"width": 1300, "height": 900})

    def open_page(name: str):
        page, told = context.new_page(), []
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("request", lambda request: told.append(request.url))
        url = at(finished, f"tiny/{name}").resolve().as_uri()
        page.goto(url)
        page.wait_for_function("document.body.dataset.ready === 'yes' || !document.querySelector('script')")
        return page, lambda: [each for each in told if each != url and not each.startswith("data:")]

    yield open_page
    context.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_no_fault_asks_for_nothing_and_fits_a_narrow_screen(opened, name, tmp_path):
    page, told = opened(name)
    for width in (1300, 380):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        # for a person to look at: pytest keeps the last folders
        page.screenshot(path=tmp_path / f"{name}-{width}.png", full_page=True)
    # what a screen reader says of every drawing and control
    unnamed = "[...document.querySelectorAll('[role=img]')].filter(x => !x.ariaLabel).length"
    assert page.evaluate(unnamed) == 0
    unlabelled = "[...document.querySelectorAll('select, input')].filter(x => !x.labels.length).length"
    assert page.evaluate(unlabelled) == 0
    assert len(page.pdf(path=tmp_path / f"{name}.pdf")) > 10_000
    assert told() == []


def test_every_figure_of_the_report_has_its_numbers_and_its_pdf_beside_it(finished):
    folder = at(finished, "tiny/report.html").parent
    shown = re.findall(r'<figure id="(\w+)">', (folder / "report.html").read_text())
    assert len(shown) > 10
    for name in shown:
        assert len(pd.read_csv(folder / f"figures/{name}.csv")), name
        assert (folder / f"figures/{name}.pdf").read_bytes().startswith(b"%PDF"), name


def test_the_claims_of_the_report_open_by_key(opened):
    page, told = opened("report.html")
    summary = page.locator("tbody summary").first
    summary.focus()
    assert not page.locator("details").first.evaluate("x => x.open")
    page.keyboard.press("Enter")
    assert page.locator("tbody details").first.evaluate("x => x.open")
    assert told() == []


def test_every_control_of_the_explorer_works(opened):
    page, told = opened("explorer.html")
    points = page.locator("#profiles .mark-symbol path")
    before = points.count()
    assert before > 10
    page.locator("#networks input").first.uncheck()
    page.wait_for_function(f"document.querySelectorAll('#profiles .mark-symbol path').length < {before}")
    # the one on top, where points overlap
    points.last.hover()
    page.wait_for_selector("#vg-tooltip-element.visible")
    said = page.inner_text("#vg-tooltip-element")
    assert re.search(r"score\s+-?\d\.\d{3} \[-?\d\.\d{3}, -?\d\.\d{3}\]", said)
    points.last.click()
    chosen = page.input_value("#rdm")
    assert "/" in chosen
    told_score = re.search(r"score (\S+ \[.*?\])", page.inner_text("#numbers"))[1]
    assert told_score in said
    for control in ("measure", "roi", "other", "first", "second", "rdm", "order"):
        values = page.eval_on_selector_all(f"#{control} option", "options => options.map(x => x.value)")
        page.select_option(f"#{control}", values[-1])
    picture = "document.getElementById('matrix').toDataURL()"
    drawn = page.evaluate(picture)
    page.select_option("#order", index=0)
    assert page.evaluate(picture) != drawn
    page.focus("#matrix")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert "Rank of their dissimilarity" in page.inner_text("#told")
    assert told() == []


@pytest.mark.parametrize(
    ("name", "place"),
    [("report.html", "<td>{}</td>"), ("report.html", "that of {} in V1"), ("explorer.html", '"label":"{}"')],
)
def test_a_network_that_did_not_learn_is_marked(finished, name, place):
    learning = pd.read_csv(at(finished, "tiny/learning.csv"))
    assert "tiny_simclr" in set(learning.query("learned == 'no'")["model"])
    assert place.format("SimCLR (did not learn)") in at(finished, f"tiny/{name}").read_text()


def test_the_explorer_holds_the_scores_of_the_tables(finished):
    text = at(finished, "tiny/explorer.html").read_text()
    (found,) = re.findall(r'id="content">(.*?)</script>', text, re.DOTALL)
    content = json.loads(found)
    columns = content["rows"].items()
    content["rows"] = pd.DataFrame(
        {name: np.array(column["values"], object)[column["codes"]] for name, column in columns}
    ).to_dict("records")
    place = ["model", "roi", "layer"]
    shown = pd.DataFrame(content["rows"]).query("measure == 'rsa'").set_index(place)["score"].astype(float)
    scores = pd.read_csv(at(finished, "tiny/scores.csv")).query("split == 'test'").set_index(place)["score"]
    np.testing.assert_allclose(shown, scores.dropna().loc[shown.index], atol=1e-4)
    assert len(shown) == len(scores.dropna())
    ceilings = pd.read_csv(at(finished, "tiny/ceilings.csv")).query("split == 'test'").set_index("roi")
    for row in content["rows"]:
        attainable = ceilings["attainable"][row["roi"]] if row["measure"] == "rsa" else None
        assert row["attainable"] == pytest.approx(attainable, abs=1e-4)
    assert content["shown"] == [len(content["stimuli"])] * 2
    assert all(sorted(order) == list(range(len(content["stimuli"]))) for order in content["orders"].values())
    assert {"V1", "LO"} <= set(content["rdms"])
