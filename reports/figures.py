"""Quality against parameters: one figure per suite and backbone, as SVG that takes its colours from the page.

Things are told apart by shape and fill, drawn in ``currentColor`` and one accent, so they read in greyscale,
on light and dark pages. The same numbers give the same bytes: no date, no random identifiers.
"""

from __future__ import annotations

import io
import re
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from reports.entries import Entry, Group
from reports.formats import plain
from reports.statistics import Summary

_INK, _PALE = "#010203", "#010204"  # stand-ins that become currentColor, solid and faint
_ACCENT = "#2f7fb8"  # enough contrast on white and on near-black
_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "quality-against-parameters",
    "font.family": "DejaVu Sans",  # wide: what fits here fits in any reader's font
    "font.size": 9,
    "text.parse_math": False,
    "text.color": _INK,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
}
_FONT = "system-ui, -apple-system, 'Segoe UI', 'Liberation Sans', sans-serif"


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure ready to be put into a page or a file."""

    name: str  # safe as a file name
    title: str
    caption: str
    svg: str


@dataclass(frozen=True, slots=True)
class _Point:
    x: float  # updated params (%)
    y: Summary
    label: str
    shape: str  # matplotlib marker
    filled: bool


def quality_figure(group: Group) -> Picture | None:
    """Average score against updated params (%), on a logarithmic axis; None with fewer than two points."""
    points = [point for entry in group.entries if (point := _point(entry, group)) is not None]
    if len(points) < 2:
        return None
    name = f"quality-{group.name}"
    title = f"Score against updated parameters: {group.title}"
    drawn = {point.label for point in points}
    missing = [entry.label for entry in group.entries if entry.done and entry.label not in drawn]
    caption = (
        "Filled circles: tuning methods; open squares: full fine-tuning and projection; crosses: controls. "
        "Further left and higher is better."
    )
    if any(point.y.std is not None for point in points):
        caption += " Whiskers: one standard deviation over seeds."
    if _full(group) is not None:
        caption += " The dashed line is full fine-tuning."
    if missing:
        caption += f" Not drawn, for want of an average or of trained parameters: {', '.join(missing)}."
    return Picture(name, title, caption, _paint(points, group, name, title))


def _point(entry: Entry, group: Group) -> _Point | None:
    quality = entry.average
    percent = entry.updated_percent
    if quality is None or percent is None or percent <= 0:
        return None
    shape = "x" if entry.control != "none" else "s" if entry.kind == "reference" else "o"
    return _Point(percent, quality, entry.label, shape, entry.kind == "ranked")


def _paint(points: Sequence[_Point], group: Group, name: str, title: str) -> str:
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the reader's fonts have it
        figure = Figure(figsize=(7.6, 4.4))
        axes = figure.add_axes((0.1, 0.12, 0.88, 0.85))
        _frame(axes, points, group)
        for point in points:
            colour = _ACCENT if point.filled else _INK
            if point.y.std is not None:
                axes.errorbar(point.x, point.y.mean, point.y.std, color=colour, lw=0.9, capsize=2.5, zorder=2)
            face = colour if point.filled or point.shape == "x" else "none"
            axes.plot(point.x, point.y.mean, point.shape, ms=5.5, mfc=face, mec=colour, mew=1.2, ls="none", zorder=3)
        _label(figure, axes, points)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _restyle(buffer.getvalue(), name, title)


def _frame(axes: Axes, points: Sequence[_Point], group: Group) -> None:
    axes.set_xscale("log")
    low, high = min(point.x for point in points), max(point.x for point in points)
    axes.set_xlim(low / 1.6, max(high, low * 3) * 2.2)
    values = [point.y.mean + side * (point.y.std or 0) for point in points for side in (-1, 1)]
    room = max(max(values) - min(values), 4.0)  # points: small differences must not look large
    axes.set_ylim(min(values) - 0.08 * room, max(values) + 0.08 * room)
    wide = high > 300 * low  # then labels at 2 and 5 would touch
    axes.xaxis.set_major_locator(LogLocator(10, (1.0,) if wide else (1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("Updated params (%), logarithmic")
    axes.set_ylabel("Average" if group.has_average else plain(group.averaged[0].metric_title))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=_PALE, lw=0.6)
    axes.set_axisbelow(True)
    full = _full(group)
    if full is not None:
        axes.axhline(full, color=_INK, lw=0.8, ls="--", zorder=1)


def _full(group: Group) -> float | None:
    """The average of full fine-tuning, if it ran."""
    plain_full = (entry for entry in group.entries if entry.method == "full" and entry.control == "none")
    return next((entry.average.mean for entry in plain_full if entry.average is not None), None)


def _label(figure: Figure, axes: Axes, points: Sequence[_Point]) -> None:
    """Write each name beside its point, at the first of some places where it touches nothing drawn before."""
    scale = figure.dpi / 72
    spots = [tuple(axes.transData.transform((point.x, point.y.mean))) for point in points]
    taken = [(x - 5, y - 5, x + 5, y + 5) for x, y in spots]
    for point, (x, _) in zip(points, spots, strict=True):
        if point.y.std is not None:
            ends = [axes.transData.transform((point.x, point.y.mean + side * point.y.std))[1] for side in (-1, 1)]
            taken.append((x - 3, ends[0], x + 3, ends[1]))
    bounds = axes.get_window_extent()
    for line in axes.get_lines():
        if line.get_linestyle() == "--":  # the level of full fine-tuning
            level = axes.transData.transform((1.0, float(np.ravel(line.get_ydata())[0])))[1]
            taken.append((bounds.x0, level - 1, bounds.x1, level + 1))
    for point, (x, y) in sorted(zip(points, spots, strict=True), key=lambda pair: -pair[1][1]):
        text = plain(point.label, 38)
        width, height = 5.0 * scale * len(text), 10.0 * scale
        for right, rise in _places():
            left = x + 8 * scale if right else x - 8 * scale - width
            middle = y + rise * height
            box = (left, middle - height / 2, left + width, middle + height / 2)
            inside = box[0] >= bounds.x0 and box[2] <= figure.bbox.x1 and bounds.y0 <= box[1] and box[3] <= bounds.y1
            if inside and not any(_overlap(box, other) for other in taken):
                break
        else:
            continue  # no room: the leaderboard beside the figure names it
        taken.append(box)
        offset = (8 if right else -8, (middle - y) / scale)
        lead = {"arrowstyle": "-", "color": _PALE, "lw": 0.8, "shrinkA": 0, "shrinkB": 3} if abs(rise) > 0.8 else None
        axes.annotate(
            text,
            (point.x, point.y.mean),
            offset,
            textcoords="offset points",
            ha="left" if right else "right",
            va="center",
            fontsize=8,
            arrowprops=lead,
            parse_math=False,
        )


def _places() -> list[tuple[bool, float]]:
    """Sides and rises in line heights, nearest first."""
    rises = sorted((step / 2 for step in range(-12, 13)), key=lambda rise: (abs(rise), -rise))
    return [(right, rise) for rise in rises for right in (True, False)]


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _restyle(svg: str, name: str, title: str) -> str:
    """Make matplotlib's SVG fit to stand in a page: no style sheet, own identifiers, the page's colours."""
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    root = ElementTree.fromstring(svg)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in {f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"}:
                parent.remove(child)
    for element in root.iter():
        _attributes(element, name)
    root.attrib.pop("width", None)
    root.attrib.pop("height", None)
    root.attrib |= {
        "role": "img",
        "aria-label": title,
        "stroke-linejoin": "round",
        "color": "currentColor",
        "font-family": _FONT,
    }
    return ElementTree.tostring(root, encoding="unicode")


def _attributes(element: ElementTree.Element, name: str) -> None:
    # A strict content policy forbids style attributes, so each declaration becomes an attribute.
    for declaration in element.attrib.pop("style", "").split(";"):
        key, _, value = (part.strip() for part in declaration.partition(":"))
        if key == "font":
            element.set("font-size", re.sub(r"^.*?([\d.]+px).*$", r"\1", value))
        elif key and key != "font-family":
            element.set(key, value)
    for key in ("fill", "stroke"):
        if element.get(key) == _PALE:
            element.set(f"{key}-opacity", "0.22")
        if element.get(key) in {_INK, _PALE}:
            element.set(key, "currentColor")
    for key, value in list(element.attrib.items()):
        if key == "id":
            element.set(key, f"{name}-{value}")
        elif key == f"{{{_XLINK}}}href" and value.startswith("#"):
            element.set(key, f"#{name}-{value[1:]}")
        elif "url(#" in value:
            element.set(key, value.replace("url(#", f"url(#{name}-"))
