"""The page in a real browser: what is chosen, opened and typed; hostile texts; no error, no request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Opened, browsing
from synthetic import MINI_TASKS, Synthetic, write_cell, write_run

from reports.render import render

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)> \"'` \u202eevil עברית 🦜 =1+1"
LONG = "m" * 10_000
ANSWERS = {
    "full": {"0": "red", "1": HOSTILE, "2": "red"},
    "lora-multiple": {"0": "red", "1": LONG, "2": "blue"},
}
SCORED = dict.fromkeys(MINI_TASKS, 0.5)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with browsing() as found:
        yield found


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cells = [
        Synthetic("full", dict.fromkeys(MINI_TASKS, 0.8), trained=900_000, answers=ANSWERS["full"]),
        Synthetic("projection", dict.fromkeys(MINI_TASKS, 0.3), trained=1_000),
        *(Synthetic("lora-single", dict.fromkeys(MINI_TASKS, 0.6 + seed / 20), seed=seed) for seed in (0, 1)),
        Synthetic("lora-multiple", dict.fromkeys(MINI_TASKS, 0.7), trained=9_000, answers=ANSWERS["lora-multiple"]),
        Synthetic("hostile", dict.fromkeys(MINI_TASKS, 0.4), title=HOSTILE, overrides={"text": HOSTILE}, trained=77),
        Synthetic("long", SCORED, title=LONG, overrides={"text": LONG}, trained=777),
        Synthetic("broken", state="failed", reason=f"{HOSTILE} {LONG}"),
        Synthetic("formula", state="failed", reason="=1+1"),
        Synthetic(
            "full", suite="vqav2", tasks=("vqav2",), state="unavailable", reason="VQAv2 is absent", recorded=False
        ),
    ]
    run = write_run(tmp_path_factory.mktemp("page") / "a run", cells[:-3])
    for cell in cells[-3:]:
        folder = write_cell(run, cell)
        (folder / "log.txt").write_text(f"first\r10%\r100%\n    {HOSTILE}\nlast line\n")
        (folder / "options.json").write_text("{}")
    return render(run)


@pytest.fixture
def opened(browser: Any, report: Path) -> Iterator[Opened]:
    """The page, watched: whatever a test does, nothing may be said on the console or asked of the network."""
    found = Opened(browser, report)
    yield found
    assert found.wrong == []
    found.page.close()


def test_a_field_of_the_matrix_opens_the_drawer_and_the_address_keeps_it(opened: Opened) -> None:
    page = opened.page
    page.locator(".matrix td.failed a").first.click()
    drawer = page.get_by_role("dialog", name="broken")
    told = drawer.inner_text()
    for text in (HOSTILE.replace("\u202e", ""), "last line", "settings.epochs", "mkdir again && cp cells/", "torch"):
        assert text in told
    assert "10%" not in told
    kept = opened.state
    assert kept.startswith("cell=")
    opened.go(f"#{kept}")
    assert page.get_by_role("dialog", name="broken").is_visible()
    page.keyboard.press("Escape")
    assert not page.get_by_role("dialog").is_visible()
    assert opened.state == ""


def test_the_drawer_shows_scores_a_curve_and_the_other_seeds(opened: Opened) -> None:
    page = opened.page
    page.locator(".leaderboard a", has_text="Lora single").first.click()
    drawer = page.get_by_role("dialog", name="lora-single")
    assert "60.00" in drawer.inner_text()
    drawer.get_by_role("img", name="Training loss").wait_for()
    assert drawer.locator(".chart .line").count() == 1
    drawer.get_by_role("button", name="seed 1").click()
    assert "65.00" in drawer.inner_text()
    drawer.get_by_role("button", name="Close").click()
    assert not drawer.is_visible()


def test_links_to_sections_keep_the_state(opened: Opened) -> None:
    opened.go("#q=lora")
    opened.page.get_by_role("link", name="Coverage").click()
    assert opened.state == "q=lora&at=coverage"
    assert opened.page.evaluate("document.activeElement.id") == "coverage"


def test_the_viewer_shows_examples_and_where_two_rows_differ(opened: Opened) -> None:
    page = opened.page
    section = page.locator("#predictions")
    examples = section.locator(".example")
    row, beside, show = (section.get_by_label(name, exact=True) for name in ("Row", "Beside", "Show"))
    row.select_option(label="full (mini-image on mini-bart)")
    assert examples.count() == 3
    assert page.evaluate("[...document.images].filter((image) => image.complete && image.naturalWidth).length") == 2
    assert "Picture image-1" in section.inner_text() and "red (× 3), scarlet" in section.inner_text()
    show.select_option("wrong")
    assert examples.count() == 1
    assert "\u202e" not in examples.inner_text() and "<script>alert(1)</script>" in examples.inner_text()
    beside.select_option(label="lora-multiple")
    assert examples.count() == 1
    for text in ("which shape?", "red", "blue"):
        assert text in examples.inner_text()
    kept = opened.state
    opened.go(f"#{kept}")
    assert "which shape?" in examples.inner_text()
    show.select_option("second")
    assert examples.count() == 0 and "0 of 3 sampled examples" in section.inner_text()


def test_a_drawer_leads_to_its_examples(opened: Opened) -> None:
    page = opened.page
    page.locator(".leaderboard a", has_text="Lora multiple").first.click()
    page.get_by_role("button", name="Look at examples").click()
    assert page.get_by_label("Row", exact=True).locator("option:checked").inner_text().startswith("lora-multiple")


def shown(opened: Opened, table: str) -> list[str]:
    rows = opened.page.locator(f'table[data-table="{table}"] tbody tr:not(.section):visible th')
    return [text.split("\n")[0][:20] for text in rows.all_inner_texts()]


BOARD = "leaderboard-mini-image-mini-bart"


def test_a_click_on_a_title_sorts_and_the_address_keeps_it(opened: Opened) -> None:
    board = opened.page.locator(f'table[data-table="{BOARD}"]')
    before = shown(opened, BOARD)
    board.get_by_role("button", name="VQA", exact=True).click()
    down = shown(opened, BOARD)
    board.get_by_role("button", name="VQA", exact=True).click()
    up = shown(opened, BOARD)
    assert down[:4] == ["Full", "Projection", "Lora multiple", "Lora single"]  # references stay apart
    assert up[:2] == ["Projection", "Full"] and sorted(up) == sorted(before)
    assert up.index("Lora single") < up.index("Lora multiple") < up.index("Broken")  # what has no score stays last
    assert board.locator('[aria-sort="ascending"]').count() == 1
    opened.go(f"#{opened.state}")
    assert shown(opened, BOARD) == up


def test_rows_are_searched_and_filtered_everywhere(opened: Opened) -> None:
    page = opened.page
    page.get_by_label("Family", exact=True).select_option("lora*")
    rows = shown(opened, BOARD)
    assert rows[:2] == ["Lora multiple", "Lora single"] and not {"Full", "Broken"} & set(rows)  # floors stay
    assert page.locator(".matrix tbody tr:visible").all_inner_texts()[0].startswith("lora-multiple")
    assert opened.state == "family=lora*"
    page.get_by_label("Search rows").fill("SINGLE")
    assert shown(opened, BOARD) == ["Lora single"]
    opened.go(f"#{opened.state}")
    assert shown(opened, BOARD) == ["Lora single"] and page.get_by_label("Search rows").input_value() == "SINGLE"
    page.get_by_role("button", name="Clear").click()
    page.get_by_label("Suite", exact=True).select_option("vqav2")
    assert not page.locator("#mini-image-mini-bart").is_visible()
    assert shown(opened, "reasons") == ["vqav2"]
    assert page.locator(".matrix thead tr:last-child th:visible").all_inner_texts() == ["Method", "vqav2"]


def test_a_view_is_taken_as_csv_markdown_and_latex(opened: Opened) -> None:
    page = opened.page
    tools = page.locator(f'.scroll:has(table[data-table="{BOARD}"]) + .tools')
    tools.get_by_text("Columns").click()
    for column in ("Average", "Relative to full (%)", "Mean rank", "Learning rate", "GQA", "NLVR", "CAPTION"):
        tools.get_by_label(column, exact=True).uncheck()
    page.get_by_label("Search rows").fill("hostile")
    opened.go(f"#{opened.state}")
    tools.get_by_role("button", name="Take this view").click()
    window = page.get_by_role("dialog", name="Take this view")
    text = window.get_by_label("The table as text")
    header, row = text.input_value().splitlines()
    assert header == "Method,Updated params (%),VQA,n"
    assert row.startswith('"</script><script>') and row.endswith(",40.0,1")
    window.get_by_label("Format").select_option("Markdown")
    assert "| \\</script\\>\\<script\\>" in text.input_value()
    window.get_by_label("Format").select_option("LaTeX")
    assert "\\toprule" in text.input_value() and text.input_value().count("&") == 6
    with page.expect_download() as saved:
        window.get_by_role("button", name="Save").click()
    assert saved.value.suggested_filename == f"{BOARD}.tex"
    page.get_by_role("button", name="Close").click()


def test_a_taken_view_disarms_formulas(opened: Opened) -> None:
    opened.page.get_by_label("Search rows").fill("formula")
    opened.page.locator('.scroll:has(table[data-table="reasons"]) + .tools button').click()
    rows = opened.page.get_by_label("The table as text").input_value().splitlines()
    assert rows == ["Suite,Backbone,State,Reason,Methods,Cells", "mini-image,mini-bart,failed,'=1+1,formula,1"]


def test_quality_against_cost_is_chosen_pointed_at_and_walked_through(opened: Opened) -> None:
    page = opened.page
    board = page.locator("#mini-image-mini-bart")
    assert board.locator(".picture").count() == 0  # the still figure gave way
    points = board.locator(".point")
    told = board.locator(".told")
    points.first.wait_for()
    assert points.count() == 6
    points.first.hover()
    assert "hostile" in told.inner_text()
    board.get_by_label("Quality").select_option("mini-gqa")
    board.get_by_label("Cost").select_option("stored_file_bytes")
    assert opened.state == "quality=mini-gqa&cost=stored_file_bytes"
    page.mouse.move(0, 0)
    points.first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert "projection: GQA (Accuracy) 30.00" in told.inner_text() and "Stored file (MiB)" in told.inner_text()
    page.keyboard.press("Enter")
    assert page.get_by_role("dialog", name="projection").is_visible()
    opened.go("#family=lora*&cost=training_step_seconds")
    points.first.wait_for()
    assert points.count() == 2
    assert board.locator(".interval").count() > 0  # two seeds
    assert board.get_by_label("Cost").input_value() == "training_step_seconds"


def test_bars_and_ranks_name_every_row(opened: Opened) -> None:
    board = opened.page.locator("#mini-image-mini-bart")
    bars = board.get_by_role("img", name="VQA (VQA accuracy)")
    bars.wait_for()
    assert bars.locator(".bar").count() == 6 and bars.locator(".floor-line").count() == 1
    assert "full 80.00; lora-multiple 70.00; lora-single 62.50, 95 % interval" in str(bars.get_attribute("aria-label"))
    ranks = board.get_by_role("img", name="Mean rank")
    assert str(ranks.get_attribute("aria-label")).startswith(
        "Mean rank over tasks: lora-multiple 1.00; lora-single 2.00"
    )
    assert "Nemenyi" in board.inner_text()


@pytest.mark.parametrize("width", [400, 2000])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_sticks_out_or_overlaps(browser: Any, report: Path, width: int, scheme: str) -> None:
    opened = Opened(browser, report, viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = opened.page
    page.locator(".chart").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    overlaps = """() => [...document.querySelectorAll('.explored .chart')].filter((chart) => {
      const boxes = [...chart.querySelectorAll('text')].map((text) => text.getBoundingClientRect());
      return boxes.some((a, i) => boxes.slice(i + 1).some((b) =>
        a.left + 1 < b.right && b.left + 1 < a.right && a.top + 3 < b.bottom && b.top + 3 < a.bottom));
    }).map((chart) => chart.getAttribute('aria-label').slice(0, 60))"""
    assert page.evaluate(overlaps) == []
    assert opened.wrong == []
    page.close()


def test_without_scripts_everything_of_the_run_can_be_read(browser: Any, report: Path) -> None:
    opened = Opened(browser, report, java_script_enabled=False)
    page = opened.page
    assert page.locator(".matrix td").count() > 10 and page.locator(".picture svg").count() == 1
    assert not page.locator("#predictions").is_visible()
    page.close()
