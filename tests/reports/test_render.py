from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from synthetic import MINI_TASKS, Synthetic

from reports import RecordError
from reports.__main__ import main
from reports.export import guarded, table_to_csv
from reports.formats import plain
from reports.markdown import escaped, write_table
from reports.render import render
from reports.statistics import Summary
from reports.table import Column, Row, Table, TableCell, score_cell

SCORED = dict.fromkeys(MINI_TASKS, 0.5)
HOSTILE = [
    "</script><script>alert(1)</script>",
    "\"' onmouseover=alert(1) x='",
    "\u202eevil\u202c עברית $x^2 \\frac{",
    "a|b\n# c `d` **e** <img src=x onerror=alert(1)>",
    '=HYPERLINK("http://example.org")',
    "m" * 300,
    "🦜🧪\x00\x07",
]


class Page(HTMLParser):
    """Collects what could run or reach out."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "link", "img", "br", "path", "use"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def page_of(folder: Path) -> str:
    return render(folder).read_text(encoding="utf-8")


def test_everything_is_written_where_the_house_says(run_of):
    folder = run_of(Synthetic("full", SCORED), Synthetic("bitfit", SCORED, trained=900))
    assert render(folder) == folder / "report" / "index.html"
    written = {path.relative_to(folder / "report").as_posix() for path in (folder / "report").rglob("*.*")}
    assert {"index.html", "report.md", "tables/cells.csv", "tables/cells.parquet", "tables/scores.csv"} <= written
    assert {"figures/quality-mini-image-mini-bart.svg", "tables/leaderboard-mini-image-mini-bart.csv"} <= written
    assert not [name for name in written if "/." in name or name.startswith(".")]  # no temporary file is left
    assert len(pd.read_csv(folder / "report/tables/scores.csv")) == 8


def test_the_page_says_what_ran_and_how(run_of):
    environment = {"command": "python -m harness run --grid full", "commit": "0123abc", "memory_bytes": 8 * 2**30}
    missing = Synthetic("full", suite="image-text", state="unavailable", recorded=False, reason="VQAv2 is absent")
    page = page_of(run_of(Synthetic("full", SCORED), missing, environment=environment))
    for text in (
        "1 done, 1 unavailable",
        "python -m harness run --grid full",
        "VQAv2 is absent",
        "8.00 GiB",
        "0123abc",
    ):
        assert text in page
    assert "Embedded suite: a small measuring instrument, not comparable with published numbers." in page
    assert "methods: all" in page  # the grid


def test_the_banner_is_for_runs_of_embedded_suites_alone(run_of):
    page = page_of(
        run_of(Synthetic("full", SCORED), Synthetic("full", {"daquar": 0.2}, suite="daquar", tasks=("daquar",)))
    )
    assert 'class="banner"' not in page


def test_a_run_that_scored_nothing_yet_still_renders(run_of):
    page = page_of(run_of(Synthetic("full", state="running", recorded=False)))
    assert "No cell has finished with a score yet" in page


def test_hostile_text_neither_breaks_nor_runs(run_of):
    cells = [
        Synthetic(f"method-{place}", SCORED, title=text, overrides={"name": text}, trained=9 ** (place + 1))
        for place, text in enumerate(HOSTILE)
    ]
    failures = [
        Synthetic(f"broken-{place}", state="failed", reason=text, recorded=False) for place, text in enumerate(HOSTILE)
    ]
    folder = run_of(*cells, *failures, environment={"command": HOSTILE[0], "device": HOSTILE[1]})
    text = page_of(folder)
    page = Page(text)
    assert page.open == []
    scripts = [attributes.get("type") for tag, attributes in page.tags if tag == "script"]
    assert scripts == ["application/json", None]
    assert not [tag for tag, _ in page.tags if tag in {"img", "iframe", "object", "link", "base", "form"}]
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on") or name == "style"]
    assert "\u202e" not in text and "\x07" not in text
    markdown = (folder / "report" / "report.md").read_text()
    outside_fences = re.sub(r"^```.*?^```", "", markdown, flags=re.DOTALL | re.MULTILINE)
    assert not re.search(r"(?<!\\)</?(?!(u|sub)>)\w", outside_fences)  # the writer's own tags are the only ones


def test_the_page_needs_no_network_and_its_policy_names_its_own_script(run_of):
    text = page_of(run_of(Synthetic("full", SCORED), Synthetic("bitfit", SCORED, trained=900)))
    for tag, attributes in Page(text).tags:
        for name in ("src", "href", "xlink:href", "action"):
            target = attributes.get(name) or "#"
            assert target.startswith(("#", "../cells/")), (tag, target)
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert script and style
    for content in (script[1], style[1]):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"&#39;sha256-{digest}&#39;" in text.replace("&#34;", '"') or f"'sha256-{digest}'" in text


def test_links_lead_to_files_of_the_run(run_of):
    folder = run_of(Synthetic("peft/lora", SCORED, overrides={"rank": 4}))
    page = render(folder)
    links = [attributes["href"] for tag, attributes in Page(page.read_text()).tags if tag == "a"]
    files = [link for link in links if link and link.startswith("../cells/")]
    assert len(files) >= 2
    assert all((page.parent / link).is_file() for link in files)


def test_identifiers_are_unique(run_of):
    other = {"suite": "mini-video", "backbone": "mini-bart"}
    cells = [Synthetic(m, SCORED, trained=t, **more) for m, t in (("full", 9000), ("x", 90)) for more in ({}, other)]
    names = [attributes["id"] for _, attributes in Page(page_of(run_of(*cells))).tags if attributes.get("id")]
    assert len(names) == len(set(names)) > 10


def test_the_same_run_renders_to_the_same_bytes(run_of, tmp_path):
    folder = run_of(Synthetic("full", SCORED), Synthetic("bitfit", SCORED, trained=900))
    first = {path.name: path.read_bytes() for path in render(folder).parent.rglob("*.*")}
    second = {path.name: path.read_bytes() for path in render(folder).parent.rglob("*.*")}
    assert first == second


def test_another_output_folder_keeps_its_links(run_of, tmp_path):
    folder = run_of(Synthetic("full", SCORED))
    page = render(folder, tmp_path / "elsewhere" / "deep")
    links = [a["href"] for tag, a in Page(page.read_text()).tags if tag == "a" and "/cells/" in str(a["href"])]
    assert links and all((page.parent / str(link)).is_file() for link in links)


def test_an_empty_run_is_one_clear_line(tmp_path):
    (tmp_path / "cells").mkdir()
    with pytest.raises(RecordError, match="nothing to report"):
        render(tmp_path)


def test_a_folder_that_cannot_be_written_is_one_clear_line(run_of, tmp_path):
    folder = run_of(Synthetic("full", SCORED))
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match="cannot be written"):
        render(folder, tmp_path / "file" / "report")


def test_a_failed_write_leaves_the_old_report(run_of, monkeypatch):
    folder = run_of(Synthetic("full", SCORED))
    page = render(folder)
    before = page.read_bytes()

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full_disk)
    with pytest.raises(RecordError, match="No space left on device"):
        render(folder)
    assert page.read_bytes() == before
    assert not list(page.parent.rglob(".*"))


def test_the_command_prints_the_page_or_one_line_of_error(run_of, capsys, tmp_path):
    folder = run_of(Synthetic("full", SCORED))
    assert main([str(folder)]) == 0
    assert capsys.readouterr().out == f"{folder / 'report' / 'index.html'}\n"
    assert main([str(tmp_path / "nowhere")]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1


TABLE = Table(
    "small",
    "A | title",
    (Column("Name", "left"), Column("Score")),
    (
        Row((TableCell("a|b", "a|b"), score_cell(Summary(1.0, 0.1, 3), "best", "†"))),
        Row((TableCell("=1+1", "=1+1"), TableCell("0.50", 0.5, "second", detail="n = 1"))),
        Row((TableCell("-x", "-x"), TableCell())),
    ),
    ("A note.",),
)


def test_markdown_escapes_pipes_and_shows_marks():
    lines = write_table(TABLE).splitlines()
    assert lines[0] == "### A \\| title"
    assert lines[2:5] == ["| Name | Score |", "| :--- | ---: |", "| a\\|b | **1.00**<sub>±0.10</sub>† |"]
    assert lines[5] == "| =1+1 | <u>0.50</u> (n = 1) |"
    assert "- A note." in lines


def test_csv_keeps_numbers_deviations_and_marks_and_disarms_formulas():
    assert table_to_csv(TABLE).splitlines() == [
        "Name,Score,Score (detail),Score (shown),Score (mark),Score (std),Score (n),row",
        "a|b,1,,1.00 ± 0.10†,best,0.1,3,ranked",
        "'=1+1,0.5,n = 1,0.50,second,,,ranked",
        "'-x,,,,,,,ranked",
    ]


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\tx", "\rx"])
def test_a_spreadsheet_sees_no_formula(text):
    assert guarded(text) == f"'{text}"


def test_exported_frames_disarm_formulas_in_text_only(run_of):
    cell = Synthetic("full", state="failed", reason="=cmd()", recorded=False)
    folder = run_of(cell, Synthetic("bitfit", {"mini-vqa": -0.5}))
    render(folder)
    tables = folder / "report" / "tables"
    assert "'=cmd()" in (tables / "cells.csv").read_text()
    assert pd.read_csv(tables / "scores.csv")["value"].tolist() == [-0.5]
    assert pd.read_parquet(tables / "cells.parquet")["reason"].dropna().tolist() == ["=cmd()"]


def test_text_becomes_one_harmless_bounded_line():
    assert plain("a\n b\x00\u202e\u2066c") == "a bc"
    assert len(plain("x" * 1000)) == 400
    assert escaped("a\n<b>|`$") == "a \\<b\\>\\|\\`\\$"


def test_the_page_says_how_far_the_instrument_can_be_trusted_once_that_was_measured(run_of):
    folder = run_of(Synthetic("full", SCORED), Synthetic("projection", dict.fromkeys(MINI_TASKS, 0.4)))
    title = "How far this instrument can be trusted"
    page = page_of(folder)
    assert page.count(f"<h2>{title}</h2>") == 1
    for text in ("Full fine-tuning minus projection only", "10.00 points", "Not measured in this run: "):
        assert text in page
    assert f"## {title}" in (folder / "report" / "report.md").read_text()
    assert "Full fine-tuning minus projection only,10" in (folder / "report" / "tables" / "trust.csv").read_text()


def test_a_run_without_the_embedded_suite_says_nothing_of_the_instrument(run_of):
    page = page_of(run_of(Synthetic("full", {"daquar": 0.2}, suite="daquar", tasks=("daquar",))))
    assert "can be trusted" not in page
