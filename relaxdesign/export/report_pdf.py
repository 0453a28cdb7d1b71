"""A report as PDF (A4), laid out by fpdf2 in Python alone: no browser, no system library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import matplotlib
from fpdf import FPDF
from fpdf.enums import XPos, YPos
from fpdf.fonts import FontFace
from fpdf.util import Padding

from relaxdesign.export.report import ASHBY_CAPTION, BOUNDS_NOTE, DEFINITION, Chapter, Report, Table, number

INK, SOFT, LINE, ACCENT = (27, 36, 48), (91, 102, 117), (214, 220, 228), (29, 91, 143)
MARGIN = 14.0
WIDTH = 210.0 - 2 * MARGIN
GAP = 8.0  # between two columns
HALF = (WIDTH - GAP) / 2
ROW = 4.4  # height of a line in tables
_SMALL, _SMALL_ROW = 6.5, 3.9  # letters and lines of what is read last
FONT = "DejaVu"  # comes with Matplotlib and has Greek, sub- and superscripts


def report_pdf(report: Report, created: datetime) -> bytes:
    """The report as a file; byte for byte the same for the same report. created: the date noted in it."""
    pdf = _Sheets(report.title, created)
    pdf.add_page()
    pdf.text_block(report.title, 16 if len(report.chapters) > 1 else 12, bold=True)
    pdf.text_block(report.lead, 9, SOFT)
    chapters = [(chapter, pdf.add_link()) for chapter in report.chapters]
    if len(chapters) == 1:
        _chapter(pdf, chapters[0][0])
        _ending(pdf, report)
        return bytes(pdf.output())
    if chapters:
        pdf.gap(2)
        phases = len(report.overview[0]) - 7  # columns; in mm, as all widths
        widths = (14, *(74 / phases,) * phases, 17, 14, 17, 14, 14, 18)
        pdf.grid(report.overview, widths, texts=1 + phases, links=[link for _, link in chapters])
        pdf.figure(report.ashby, WIDTH, 82, ASHBY_CAPTION)
    else:
        pdf.text_block("No candidate was verified, so there is no design to show.")
    if report.failed:
        pdf.heading("Candidates without a design")
        pdf.text_block("\n".join(report.failed), 8.5)
    for chapter, link in chapters:
        pdf.add_page()
        pdf.set_link(link)
        _chapter(pdf, chapter)
    _ending(pdf, report)
    return bytes(pdf.output())


def _ending(pdf: _Sheets, report: Report) -> None:
    """What was asked for in full, and where the numbers come from."""
    pdf.heading("Request", keep=_SMALL_ROW * (2 + len(report.settings) / 3))
    pdf.pairs(report.settings, 3, share=0.6, size=_SMALL)
    pdf.heading("Provenance", keep=_SMALL_ROW * (3 + len(report.origin) / 2))
    pdf.pairs(report.origin, 2, share=0.36, size=_SMALL)
    pdf.text_block("\n".join(f"SHA-256 of the {name}: {value}" for name, value in report.hashes), 7, SOFT)
    pdf.gap(2)
    pdf.text_block(DEFINITION, 7, SOFT)


def _chapter(pdf: _Sheets, chapter: Chapter) -> None:
    pdf.start_section(chapter.title)
    pdf.text_block(chapter.title, 12, ACCENT, bold=True)
    pdf.beside(
        lambda: pdf.figure(chapter.cell, HALF, 50, chapter.captions[0]),
        lambda: pdf.figure(chapter.stress, HALF, 50, chapter.captions[1]),
    )
    pdf.heading("Materials")
    pdf.materials(chapter)
    pdf.gap(1)
    pdf.text_block(chapter.filling, 8)
    if chapter.made:
        pdf.heading("How it is made")
        pdf.text_block(chapter.made, 8)
    pdf.heading("Effective properties", keep=ROW * (2 + len(chapter.properties) / 2))
    pdf.pairs(chapter.properties, 2, share=0.42)
    pdf.heading("Bounds, GPa", keep=ROW * 4)
    pdf.grid(chapter.bounds, (12, *[26] * 5))
    pdf.text_block(BOUNDS_NOTE, 8, SOFT)
    pdf.heading("Every stage", keep=ROW * 8)
    pdf.grid(chapter.stages, (34, *[25] * (len(chapter.stages[0]) - 1)), size=7)
    if chapter.certainty:
        pdf.text_block(chapter.certainty, 7, SOFT)
    pdf.heading("Stiffness C, GPa (Voigt order, engineering shear)", keep=ROW * 11)
    pdf.grid(chapter.stiffness_entries, (12, *[25] * 6), size=7)
    pdf.figure(chapter.stiffness, WIDTH, 44, "Young’s modulus by direction.")
    pdf.text_block(f"SHA-256 of the cell’s labels: {chapter.sha256}", 7, SOFT)


class _Sheets(FPDF):
    """Pages with the few kinds of parts a report has; parts fill the width between the margins."""

    def __init__(self, title: str, created: datetime):
        super().__init__(format="A4")
        fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
        self.add_font(FONT, "", fonts / "DejaVuSans.ttf")
        self.add_font(FONT, "B", fonts / "DejaVuSans-Bold.ttf")
        self.set_margin(MARGIN)
        self.set_auto_page_break(True, MARGIN + 4)
        self.set_draw_color(*LINE)
        self.set_line_width(0.15)
        self.set_title(f"RelaxDesign report: {title}")
        self.set_lang("en-GB")
        self.set_creation_date(created)

    def footer(self) -> None:
        self.set_y(-MARGIN)
        self.set_font(FONT, size=7.5)
        self.set_text_color(*SOFT)
        self.cell(w=0, text=f"{self.page_no()}", align="R")

    def gap(self, height: float) -> None:
        self.set_y(self.y + height)

    def make_room(self, height: float) -> None:
        """Begins a new page if less than this is left of the current one."""
        if self.will_page_break(height):
            self.add_page()

    def text_block(self, text: str, size: float = 9, colour: tuple[int, int, int] = INK, bold: bool = False) -> None:
        """A paragraph."""
        self.set_font(FONT, "B" if bold else "", size)
        self.set_text_color(*colour)
        self.multi_cell(
            0, size * 0.48, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT, padding=Padding(0.6, 0, 0.6, 0)
        )

    def heading(self, text: str, keep: float = 20) -> None:
        """keep: height of what must follow on the same page."""
        self.make_room(keep + 9)
        self.gap(3)
        self.text_block(text, 10, bold=True)

    def figure(self, png: bytes, width: float, height: float, caption: str) -> None:
        """A picture in a box of this size, with its caption."""
        self.make_room(height + 10)
        self.image(png, self.l_margin, self.y + 1, width, height, keep_aspect_ratio=True, alt_text=caption)
        self.gap(height + 2)
        self.text_block(caption, 8, SOFT)

    def beside(self, left: Callable[[], None], right: Callable[[], None]) -> None:
        """Two parts in two columns; there must be room for both."""
        page, top = self.page, self.y
        self.set_right_margin(MARGIN + HALF + GAP)
        left()
        bottom = self.y
        self.set_margins(MARGIN + HALF + GAP, MARGIN, MARGIN)
        self.page, self.y = page, top
        right()
        self.set_margins(MARGIN, MARGIN, MARGIN)
        self.set_y(max(bottom, self.y))

    def grid(
        self, rows: Table, widths: Sequence[float], texts: int = 1, links: Sequence[int] = (), size: float = 8
    ) -> None:
        """Texts to the left, numbers to the right. links: where the first cell of each row below the head leads."""
        align = ["LEFT"] * texts + ["RIGHT"] * (len(rows[0]) - texts)
        with self._table(widths, align, size=size) as table:
            for index, texts_of_row in enumerate(rows):
                row = table.row()
                for column, text in enumerate(texts_of_row):
                    row.cell(text, link=links[index - 1] if links and index and not column else None)

    def pairs(self, facts: Sequence[tuple[str, str]], columns: int, share: float, size: float = 8) -> None:
        """Names and values, read column by column. share: of the names in a column's width. size: of the letters."""
        height = -(-len(facts) // columns)
        with self._table((share, 1 - share) * columns, ["LEFT", "RIGHT"] * columns, heads=False, size=size) as table:
            for index in range(height):
                row = table.row()
                for name, value in (*facts, *[("", "")] * (height * columns - len(facts)))[index::height]:
                    row.cell(name, style=FontFace(color=SOFT))
                    row.cell(value, padding=(0.5, 5 if columns > 1 else 1, 0.5, 0))

    def materials(self, chapter: Chapter) -> None:
        """Name and moduli of both materials, each with its source in a row of its own."""
        soft = FontFace(color=SOFT, size_pt=7)
        with self._table((22, 90, 22, 22, 26), ["LEFT", "LEFT", "RIGHT", "RIGHT", "RIGHT"]) as table:
            table.row(("", "Name", "E, GPa", "ν", "ρ, g/cm³"))
            for role, material, address in chapter.materials:
                numbers = [number(value) for value in (material.young, material.poisson, material.density)]
                table.row((role, material.name, *numbers))
                row = table.row()
                row.cell("")
                source = f"Source: {material.source or 'none given'}"
                row.cell(f"{source} {address}" if address else source, colspan=4, link=address or None, style=soft)

    def _table(self, widths: Sequence[float], align: list[str], heads: bool = True, size: float = 8):
        self.set_font(FONT, size=size)
        self.set_text_color(*INK)
        return self.table(
            col_widths=widths, text_align=align, first_row_as_headings=heads, borders_layout="HORIZONTAL_LINES",
            line_height=ROW * 0.85 * size / 8, padding=(0.5, 1), v_align="TOP", width=self.epw, align="LEFT",
        )  # fmt: skip
