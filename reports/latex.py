"""A table as LaTeX for a paper: booktabs' rules, and no character that LaTeX would read as a command.

A file holds one ``table`` with its caption, label and notes; it needs the package booktabs, and XeLaTeX or LuaLaTeX
where names hold letters that pdfLaTeX does not know.
"""

from __future__ import annotations

import re

from reports.table import Column, Row, Table, TableCell

_COMMANDS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\symbol{34}",
    "`": r"\textasciigrave{}",
    # Harmless but at the start of a row, where the end of the row before would read them.
    "[": "{[}",
    "*": "{*}",
    # What this package writes itself.
    "–": r"\textendash{}",
    "−": "$-$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "→": r"$\rightarrow$",
    "∞": r"$\infty$",
    "…": r"\ldots{}",
    "†": r"$\dagger$",
    "‡": r"$\ddagger$",
    "§": r"\S{}",
    "¶": r"\P{}",
    "≈": r"$\approx$",
    "◇": r"$\diamond$",
    "∗": r"$\ast$",
    "∘": r"$\circ$",
    "‖": r"$\parallel$",
    "²": r"\textsuperscript{2}",
    "Σ": r"$\Sigma$",
}
_ESCAPES = str.maketrans(_COMMANDS)
_LIGATURE = re.compile(r"(['-])(?=\1)")  # "--" would become a dash, "''" a quotation mark
_LAST_KNOWN = "\u017f"  # letters beyond Latin Extended-A are unknown to pdfLaTeX's default


def escaped(text: str) -> str:
    """Text that LaTeX sets as it is, on one line."""
    return _LIGATURE.sub(r"\1{}", " ".join(text.split()).translate(_ESCAPES))


def table_to_latex(table: Table) -> str:
    """A floating table: caption and label above, the notes below in a small size."""
    places = "".join("l" if column.align == "left" else "r" for column in table.columns)
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escaped(table.title)}}}",
        rf"\label{{tab:{table.name}}}",
        rf"\begin{{tabular}}{{{places}}}",
        r"\toprule",
        _line([escaped(column.title) for column in table.columns]),
    ]
    for heading, rows in table.sections:
        lines.append(r"\midrule")
        if heading:
            lines.append(rf"\multicolumn{{{len(table.columns)}}}{{l}}{{\emph{{{escaped(heading)}}}}} \\")
        lines += [_row(row, table.columns) for row in rows]
    lines += [r"\bottomrule", r"\end{tabular}"]
    if table.notes:
        lines += ["", r"\smallskip", r"\begin{minipage}{\linewidth}\footnotesize"]
        lines += [rf"{escaped(note)}\par" for note in table.notes]
        lines.append(r"\end{minipage}")
    lines.append(r"\end{table}")
    body = "\n".join(lines)
    foreign = any(letter > _LAST_KNOWN for letter in body)
    engine = "; some letters need XeLaTeX or LuaLaTeX" if foreign else ""
    return f"% \\usepackage{{booktabs}}{engine}\n{body}\n"


def _row(row: Row, columns: tuple[Column, ...]) -> str:
    return _line([_cell(cell, column) for cell, column in zip(row.cells, columns, strict=True)])


def _cell(cell: TableCell, column: Column) -> str:
    mean, deviation = cell.mean_and_deviation if column.align == "right" else (cell.text, "")
    text = escaped(mean)
    if cell.mark == "best":
        text = rf"\textbf{{{text}}}"
    elif cell.mark == "second":
        text = rf"\underline{{{text}}}"
    if deviation:
        text += rf"$_{{\pm {deviation}}}$"
    if cell.symbols:
        text += rf"\textsuperscript{{{escaped(cell.symbols)}}}"
    return text + (rf" {{\scriptsize ({escaped(cell.detail)})}}" if cell.detail else "")


def _line(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"
