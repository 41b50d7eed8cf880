"""LaTeX: a structure that compiles, marks as papers set them, and no character that LaTeX would obey."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from reports import latex
from reports.latex import escaped, table_to_latex
from reports.statistics import Summary
from reports.table import Column, Row, Table, TableCell, score_cell

HOSTILE = [
    r"\input{/etc/passwd}",
    r"100% & #1_{2}^3 ~ $x$ \\",
    "[2pt]* line\nbreak",
    "--flag ''quoted'' \"double\" `tick` <a|b>",
    "\\end{tabular}\\end{table}\\newpage",
]


def table(*rows: Row) -> Table:
    return Table("a-name", "Scores & more", (Column("Method", "left"), Column("VQA_v2")), rows, ("100 % of them.",))


def rows_of(text: str) -> list[str]:
    """The lines between the rules."""
    inside = text.split("\\toprule\n")[1].split("\\bottomrule")[0]
    return [line for line in inside.splitlines() if line != "\\midrule"]


def test_a_table_has_booktabs_rules_a_caption_a_label_and_notes() -> None:
    lines = table_to_latex(table(Row((TableCell("LoRA"), TableCell("1.00", 1.0))))).splitlines()
    assert lines == [
        r"% \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        r"\caption{Scores \& more}",
        r"\label{tab:a-name}",
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"Method & VQA\_v2 \\",
        r"\midrule",
        r"LoRA & 1.00 \\",
        r"\bottomrule",
        r"\end{tabular}",
        "",
        r"\smallskip",
        r"\begin{minipage}{\linewidth}\footnotesize",
        r"100 \% of them.\par",
        r"\end{minipage}",
        r"\end{table}",
    ]


def test_marks_deviations_and_symbols_stand_as_in_papers() -> None:
    best, second = score_cell(Summary(66.17, 0.27, 3), "best"), score_cell(Summary(65.76, 0.28, 3), "second", "≈†")
    few = score_cell(Summary(-1.0, None, 1), detail="n = 1")
    text = table_to_latex(table(*(Row((TableCell("x"), cell)) for cell in (best, second, few))))
    assert [row.split(" & ")[1] for row in rows_of(text)[1:]] == [
        r"\textbf{66.17}$_{\pm 0.27}$ \\",
        r"\underline{65.76}$_{\pm 0.28}$\textsuperscript{$\approx$$\dagger$} \\",
        r"$-$1.00 {\scriptsize (n = 1)} \\",
    ]


def test_kinds_of_rows_are_blocks_with_a_heading() -> None:
    cells = (TableCell("x"), TableCell("1", 1.0))
    text = table_to_latex(table(Row(cells, "reference"), Row(cells), Row(cells, "floor")))
    assert text.count("\\midrule") == 3
    assert "\\multicolumn{2}{l}{\\emph{Reference rows (not ranked)}} \\\\\n" in text


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_adds_no_command_row_or_column(text: str) -> None:
    row = Row((TableCell(text), TableCell("1", 1.0, symbols="†", detail=text)))
    written = table_to_latex(Table("n", text, (Column(text, "left"), Column("y")), (row,), (text,)))
    bare = re.sub(r"\\[{}$&#%_]", "", written)  # what is escaped
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0 and "#" not in bare and "~" not in bare and "^" not in bare
    assert [line.count("&") for line in rows_of(bare)] == [1, 1]
    assert all(line.endswith(r" \\") and line.count(r"\\") == 1 for line in rows_of(written))
    assert written.count("%") - written.count(r"\%") == 1  # the line that names the package
    assert "\\input" not in written and written.count("\\end{") == 3


def test_text_keeps_its_letters() -> None:
    assert escaped("Müller, p = 0.5; a-b") == "Müller, p = 0.5; a-b"
    assert escaped("--set") == "-{}-set"
    assert escaped("a\\b{}") == r"a\textbackslash{}b\{\}"


def test_letters_unknown_to_pdflatex_are_told() -> None:
    first = table_to_latex(table(Row((TableCell("Пример 🦜"), TableCell())))).splitlines()[0]
    assert first == r"% \usepackage{booktabs}; some letters need XeLaTeX or LuaLaTeX"


def test_the_page_escapes_as_the_files_do() -> None:
    script = Path(latex.__file__).parent.joinpath("templates", "export.js").read_text("utf-8")
    (commands,) = re.findall(r"^const TEX = (\{$.*?^\});$", script, re.MULTILINE | re.DOTALL)
    assert json.loads(commands) == latex._COMMANDS
