"""The report as one HTML file that needs no network and no server.

Style sheet and script stand in the page; a content policy with their digests lets the browser run nothing
else. All texts go through jinja's escaping; only this package's own files and figures are put in as they are.
"""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reports.payload import as_json
from reports.report import GLOSSARY, Report
from reports.studies import TITLE as STUDIES
from reports.trust import TITLE as TRUST

_TEMPLATES = Path(__file__).parent / "templates"
_SCRIPTS = (
    "dom",
    "state",
    "chart",
    "drawer",
    "tables",
    "export",
    "filter",
    "explorer",
    "bars",
    "boards",
    "viewer",
    "main",
)  # in the order in which they build on each other


def write_html(report: Report, cells_at: str = "..") -> str:
    """Write the page; ``cells_at`` is the way from the page's folder to the run folder, for links."""
    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["address"] = lambda link: quote(f"{cells_at}/{link}".replace(os.sep, "/"))
    style = _own("style.css")
    script = '(() => {\n"use strict";\n' + "\n".join(_own(f"{name}.js") for name in _SCRIPTS) + "})();\n"
    return environment.get_template("index.html").render(
        report=report,
        glossary=GLOSSARY,
        run_folder=quote(cells_at.replace(os.sep, "/")),
        data=as_json(report.explorable.content),
        studies_title=STUDIES,
        trust_title=TRUST,
        style=Markup(style),
        script=Markup(script),
        figures={board.name: Markup(board.picture.svg) for board in report.boards if board.picture},
        policy=f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; "
        "img-src data: 'self' file:; "
        "base-uri 'none'; form-action 'none'",
    )


def _own(name: str) -> str:
    return _TEMPLATES.joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
