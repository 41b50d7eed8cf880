"""The table of parameter counts: ours beside the papers', a part for every backbone and suite."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_lowercase

from harness.backbones import BackboneSpec
from harness.parameters import PAPER_SUITES, count
from methods import Method
from reports.formats import HOLE, decimal
from reports.formats import count as whole
from reports.published_numbers import glue_size, updated_percent
from reports.record import Parameters
from reports.table import Column, Row, Table, TableCell


@dataclass(frozen=True)
class Counted:
    """A method on a backbone and a suite; other programs read these fields in this order.

    Percentages are of 100. None: no paper at hand prints it, or it is GLUE's alone and this is another suite.
    """

    method: str
    backbone: str
    suite: str
    trained: int
    stored: int
    added_at_inference: int
    frozen_extra: int
    total: int
    updated_percent: float
    published_percent: float | None
    deviation_points: float | None
    published_source: str | None
    language_model: int
    token_rows: int
    visual_embedding: int
    updated_percent_of_language_model: float
    total_multiple: float | None  # total / language model
    published_total_multiple: float | None
    trained_per_task_percent: float | None  # of the language model
    published_trained_per_task_percent: float | None


@dataclass(frozen=True)
class Part:
    """All methods on one backbone and kind of suite."""

    backbone: str
    suite: str
    kind: str
    rows: tuple[Counted, ...]
    refused: Mapping[str, str]  # why other methods cannot serve the backbone


def kinds(spec: BackboneSpec) -> list[str]:
    """The kinds of suites that a backbone is counted on; text has no embedded suite."""
    return [
        kind
        for kind, suite in PAPER_SUITES.items()
        if kind in spec.feature_widths and (suite.embedded or not spec.embedded)
    ]


def suite_of(spec: BackboneSpec, kind: str) -> str:
    """The suite that a kind of suite stands for in the table: an embedded backbone's, or the papers'."""
    suite = PAPER_SUITES[kind]
    return suite.embedded if spec.embedded and suite.embedded else suite.name


def part(methods: Sequence[type[Method]], spec: BackboneSpec, kind: str) -> Part:
    """Count every method with its defaults there."""
    rows: list[Counted] = []
    refused: dict[str, str] = {}
    for method in methods:
        try:
            counts = count(method.configured(spec.family, kind, spec.name, like=spec.like), spec, kind)
        except ValueError as error:
            refused[method.name] = " ".join(str(error).split())
        else:
            rows.append(_counted(method.name, spec, kind, counts))
    return Part(spec.name, suite_of(spec, kind), kind, tuple(rows), refused)


def _counted(method: str, spec: BackboneSpec, kind: str, counts: Parameters) -> Counted:
    printed = updated_percent(method, spec.name, kind)
    glue = kind == "text"
    size = glue_size(method, spec.name) if glue else None
    source = printed or size
    of_language_model = counts.updated_percent_of_language_model
    return Counted(
        method=method,
        backbone=spec.name,
        suite=suite_of(spec, kind),
        trained=counts.trained,
        stored=counts.stored,
        added_at_inference=counts.added_at_inference,
        frozen_extra=counts.frozen_extra,
        total=counts.total,
        updated_percent=counts.updated_percent,
        published_percent=printed.percent if printed else None,
        deviation_points=deviation(counts.updated_percent, printed.percent) if printed else None,
        published_source=source.source if source else None,
        language_model=counts.language_model,
        token_rows=counts.token_rows,
        visual_embedding=counts.visual_embedding,
        updated_percent_of_language_model=of_language_model,
        total_multiple=counts.total / counts.language_model if glue else None,
        published_total_multiple=size.total_multiple if size else None,
        trained_per_task_percent=of_language_model / len(PAPER_SUITES[kind].tasks) if glue else None,
        published_trained_per_task_percent=size.trained_per_task_percent if size else None,
    )


def deviation(ours: float, printed: float) -> float:
    """Ours with the two decimals of the papers, minus theirs."""
    return round(round(ours, 2) - printed, 2)


@dataclass(frozen=True)
class Shown:
    """A column of numbers for people. Titles break so that the table fits into 120 columns."""

    title: str
    field: str  # of `Counted`
    write: Callable[[float | None], str]
    meaning: str


ALWAYS = (
    Shown("Trained", "trained", whole, "numbers that learn; with images, those of the visual embedding too"),
    Shown(
        "Stored", "stored", whole, "numbers to be saved per suite, with which the published model becomes the tuned one"
    ),
    Shown(
        "Added at\ninference",
        "added_at_inference",
        whole,
        "numbers beside the model once the method has merged what it can",
    ),
    Shown("Frozen\nextra", "frozen_extra", whole, "added numbers that do not learn"),
    Shown(
        "Updated\n(%)",
        "updated_percent",
        decimal,
        "as the papers count: trained / (language model + token rows for images + visual embedding + added modules); "
        "the image encoder is left out",
    ),
)
WITH_IMAGES = (
    Shown(
        "Of language\nmodel (%)",
        "updated_percent_of_language_model",
        decimal,
        "the other denominator: trained / language model alone, as it was published",
    ),
    Shown("Published\n(%)", "published_percent", decimal, "updated (%) as a paper prints it"),
    Shown("Deviation\n(points)", "deviation_points", decimal, "updated (%), with two decimals, minus published"),
)
GLUE = (
    Shown(
        "Total\n(×)",
        "total_multiple",
        decimal,
        "(language model + all that is added for the eight tasks) / language model, as HyperFormer counts",
    ),
    Shown("Published\n(×)", "published_total_multiple", decimal, "total (×) as a paper prints it"),
    Shown(
        "Per task\n(%)",
        "trained_per_task_percent",
        decimal,
        "trained / language model / eight tasks, as HyperFormer counts",
    ),
    Shown("Published\nper task", "published_trained_per_task_percent", decimal, "per task (%) as a paper prints it"),
)
METHOD = Column("Method", "left")


def layout(counted: Part) -> Table:
    """A part for people; empty columns are left out, notes name the sources and who is missing."""
    columns = [column for column in _columns(counted.kind) if _filled(counted.rows, column)]
    sources = list(dict.fromkeys(row.published_source for row in counted.rows if row.published_source))
    letters = dict(zip(sources, ascii_lowercase, strict=False))
    notes = [f"{letter}: {source}" for source, letter in letters.items()]
    notes += [f"{method}: incompatible: {reason}" for method, reason in counted.refused.items()]
    return Table(
        name=f"{counted.backbone}-{counted.suite}",
        title=_title(counted),
        columns=(METHOD, *(Column(column.title, tooltip=column.meaning) for column in columns)),
        rows=tuple(
            Row((TableCell(row.method, row.method), *(_cell(row, column, letters) for column in columns)))
            for row in counted.rows
        ),
        notes=tuple(notes),
    )


def legend(parts: Iterable[Part]) -> list[str]:
    """What each column of these parts' tables means, a line each."""
    shown = {column: None for each in parts for column in _columns(each.kind) if _filled(each.rows, column)}
    return [f"{' '.join(column.title.split())}: {column.meaning}" for column in shown]


def _columns(kind: str) -> tuple[Shown, ...]:
    return (*ALWAYS, *(GLUE if kind == "text" else WITH_IMAGES))


def _filled(rows: Iterable[Counted], column: Shown) -> bool:
    return any(getattr(row, column.field) is not None for row in rows)


def _cell(row: Counted, column: Shown, letters: Mapping[str, str]) -> TableCell:
    value = getattr(row, column.field)
    text = column.write(value)
    marked = column.field.startswith("published") and text != HOLE
    return TableCell(text, value, symbols=f" {letters[row.published_source or '']}" if marked else "")


def _title(counted: Part) -> str:
    name = f"{counted.backbone}, {counted.suite}"
    if not counted.rows:
        return name
    one = counted.rows[0]
    sizes = {
        "language model": one.language_model,
        "token rows for images": one.token_rows,
        "visual embedding": one.visual_embedding,
    }
    return f"{name}: {' + '.join(f'{what} {whole(size)}' for what, size in sizes.items() if size)}"
