"""A run, or some of its designs, as a set of files: written to a folder or into one ZIP, with their hashes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence

from relaxdesign.export.cell import ExportError
from relaxdesign.export.figures import ashby_png
from relaxdesign.export.formats import FORMATS, REPORT, DesignExport, ExportOptions, check_formats
from relaxdesign.export.provenance import provenance, sha256
from relaxdesign.export.records import numbered, result_record, to_json
from relaxdesign.export.report import make_report, offered
from relaxdesign.export.report_html import report_html
from relaxdesign.export.report_pdf import report_pdf
from relaxdesign.export.tables import records_csv
from relaxdesign.study.result import DesignResult

ALL_FORMATS = (*(name for name, format in FORMATS.items() if not format.large), REPORT)
"""What is written where no formats are named: all but the large ones."""
HASHES = "SHA256SUMS"

# Of every entry of a ZIP: the same designs give the same bytes.
_TIMESTAMP = (1980, 1, 1, 0, 0, 0)


def result_files(
    result: DesignResult,
    formats: Iterable[str] = ALL_FORMATS,
    options: ExportOptions | None = None,
    *,
    indices: Sequence[int] | None = None,
    run_id: str = "",
) -> Iterator[tuple[str, bytes]]:
    """Relative paths and contents, one after the other as they are made; the last one lists the hashes of all.

    One folder per verified design; beside them, of the formats asked for, ``designs.csv``, ``designs.png``,
    ``report.html`` and ``report.pdf`` about all of them and, if all designs are exported, ``result.json``.

    Args:
        formats: names from `FORMATS`, and "report".
        indices: of the designs to export, from 0; None: all that were verified.
        run_id: of the library, for the provenance.

    Raises:
        ExportError: before any work for unknown formats, designs that do not exist or were not verified, or unusable
            sizes; later for a design that cannot be written.
    """
    chosen = check_formats(formats)
    origin = provenance(result, run_id)
    exports = [DesignExport(design, options, origin) for design in _designs(result, indices)]
    return _with_hashes(_files(result, exports, chosen, whole=indices is None))


def zip_bytes(files: Iterable[tuple[str, bytes]], folder: str = "") -> bytes:
    """Files as one ZIP, inside a folder if one is named; byte for byte the same for the same files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files:
            entry = zipfile.ZipInfo(f"{folder}/{path}" if folder else path, _TIMESTAMP)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


def _designs(result: DesignResult, indices: Sequence[int] | None):
    verified = {design.index: design for design in result.designs if design.ok}
    if indices is None:
        return list(verified.values())
    known = {design.index: design for design in result.designs}
    for index in indices:
        if index not in known:
            there = ", ".join(str(i + 1) for i in sorted(known)) or "none"
            raise ExportError(f"there is no design {index + 1} in this run; it has: {there}")
        if index not in verified:
            why = known[index].message or "it has no realised cell"
            raise ExportError(f"design {index + 1} was not verified ({why}): there is no cell to export")
    return [verified[index] for index in dict.fromkeys(indices)]


def _files(
    result: DesignResult, exports: Sequence[DesignExport], formats: Sequence[str], *, whole: bool
) -> Iterator[tuple[str, bytes]]:
    for export in exports:
        for name in formats:
            for file_name, make in FORMATS[name].files(export).items() if name != REPORT else ():
                yield f"{export.name}/{file_name}", make()
    origin = exports[0].origin if exports else provenance(result)
    if "json" in formats and whole:
        yield "result.json", to_json(result_record(result) | {"origin": origin}).encode()
    if "csv" in formats:
        failed = [numbered(design.to_dict()) for design in result.designs if not design.ok] if whole else []
        yield "designs.csv", records_csv([*(export.record for export in exports), *failed]).encode()
    if "png" in formats and exports:
        designs = [export.design for export in exports]
        yield "designs.png", ashby_png(designs, offered(result.request), result.request.target_bulk)
    if REPORT in formats:
        content = make_report(result, exports, origin)
        yield "report.html", report_html(content).encode()
        yield "report.pdf", report_pdf(content, result.started)


def _with_hashes(files: Iterator[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """The files and, at the end, their SHA-256 in the form that ``sha256sum --check`` reads."""
    lines = []
    for path, content in files:
        lines.append(f"{sha256(content)}  {path}\n")
        yield path, content
    yield HASHES, "".join(lines).encode()
