"""A report in one HTML file: no script, no link to a server, figures inside."""

from __future__ import annotations

import base64
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from relaxdesign.export.report import ASHBY_CAPTION, BOUNDS_NOTE, DEFINITION, Report, number


def report_html(report: Report) -> str:
    """The report as a page for the screen and for paper (A4)."""
    notes = {"definition": DEFINITION, "bounds": BOUNDS_NOTE, "ashby": ASHBY_CAPTION}
    return _template().render(report=report, notes=notes)


def _inline(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


@lru_cache(maxsize=1)
def _template() -> Template:
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"number": number, "inline": _inline}
    return environment.get_template("report.html")
