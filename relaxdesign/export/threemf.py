"""3MF: the solid phases of a design as coloured bodies of one file, in millimetres, for slicers of printers.

Written as the XML that the 3MF Core Specification describes (version 1.3, https://3mf.io/specification), so that the
same design gives the same bytes: libraries put times and random identifiers into their files.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from xml.sax.saxutils import quoteattr

import numpy as np

from relaxdesign.export.cell import ExportError
from relaxdesign.export.surface import Surface

MOST_TRIANGLES = 3_000_000
"""Some 300 MB of XML before it is packed."""

_TIMESTAMP = (1980, 1, 1, 0, 0, 0)
_CORE = "http://schemas.microsoft.com/3dmanufacturing/core/2015/02"
_TYPES = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="model" ContentType="application/vnd.ms-package.3dmanufacturing-3dmodel+xml"/></Types>'
)
_RELATIONS = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Target="/3D/3dmodel.model" Id="model" '
    'Type="http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel"/></Relationships>'
)


def threemf_bytes(bodies: Sequence[tuple[str, str, str, Surface]], title: str) -> bytes:
    """A package of bodies that lie as in the cell. bodies: name, material, colour (``#rrggbb``) and surface of each.

    Raises ExportError for too many triangles.
    """
    if (count := sum(len(surface.triangles) for *_, surface in bodies)) > MOST_TRIANGLES:
        raise ExportError(
            f"the bodies have {count:.2g} triangles; 3MF is written of at most {MOST_TRIANGLES:.2g}: export fewer "
            "cells along each edge, or a larger chord error"
        )
    text = io.StringIO()
    text.write(f'<?xml version="1.0" encoding="UTF-8"?>\n<model unit="millimeter" xml:lang="en-US" xmlns="{_CORE}">\n')
    text.write(f'<metadata name="Title">{_escaped(title)}</metadata>\n')
    text.write('<metadata name="Application">RelaxDesign</metadata>\n<resources>\n<basematerials id="1">\n')
    for _, material, colour, _ in bodies:
        text.write(f"<base name={quoteattr(material)} displaycolor={quoteattr(colour.upper())}/>\n")
    text.write("</basematerials>\n")
    for number, (name, _, _, surface) in enumerate(bodies):
        text.write(f'<object id="{number + 2}" type="model" pid="1" pindex="{number}" name={quoteattr(name)}>\n')
        _mesh(text, surface)
        text.write("</object>\n")
    text.write("</resources>\n<build>\n")
    text.writelines(f'<item objectid="{number + 2}"/>\n' for number in range(len(bodies)))
    text.write("</build>\n</model>\n")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as package:
        parts = {"[Content_Types].xml": _TYPES, "_rels/.rels": _RELATIONS, "3D/3dmodel.model": text.getvalue()}
        for path, part in parts.items():
            entry = zipfile.ZipInfo(path, _TIMESTAMP)
            entry.compress_type = zipfile.ZIP_DEFLATED
            package.writestr(entry, part.encode())
    return content.getvalue()


def _mesh(text: io.StringIO, surface: Surface) -> None:
    text.write("<mesh>\n<vertices>\n")
    np.savetxt(text, surface.points, fmt='<vertex x="%.9g" y="%.9g" z="%.9g"/>')
    text.write("</vertices>\n<triangles>\n")
    np.savetxt(text, surface.triangles, fmt='<triangle v1="%d" v2="%d" v3="%d"/>')
    text.write("</triangles>\n</mesh>\n")


def _escaped(text: str) -> str:
    return quoteattr(text)[1:-1]
