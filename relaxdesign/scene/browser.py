"""Scenes as a page's own viewer takes them: the meshes in few bytes, with the light and the camera."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relaxdesign.scene.scenes import LIGHTS, OUTLINE, VIEW_ANGLE, Layer, Scene

_STEPS = 65535  # of a coordinate along the longest edge of a layer
_FULL = 127  # of a component of a normal
_FAR = 32767  # of a component of how a point moves


def describe(scene: Scene) -> dict[str, Any]:
    """A scene as JSON: what is binary in base64, little endian.

    ``points`` uint16 (n, 3), to be scaled by ``span`` and shifted by ``corner``; ``normals`` int8; ``triangles``
    uint16 or uint32 (m, 3); ``colours`` uint8 of points or triangles, or one colour. All layers are drawn at each of
    the ``corners``, in this ``share`` of their size.
    """
    position, focus, up = scene.camera
    return {
        "size": scene.size,
        "layers": [_layer(layer) for layer in scene.layers],
        "corners": scene.corners,
        "share": 1 / scene.copies,
        "camera": {"position": position, "focus": focus, "up": up, "angle": VIEW_ANGLE},
        "lights": [{"position": place, "intensity": intensity} for place, intensity in LIGHTS],
        "outline": OUTLINE,
    }


def _layer(layer: Layer) -> dict[str, Any]:
    mesh = layer.mesh
    corner = mesh.points.min(axis=0)
    span = float(np.ptp(mesh.points, axis=0).max()) or 1.0
    triangles = mesh.regular_faces
    one_colour = isinstance(layer.colours, str)
    return {
        "name": layer.name,
        "corner": [float(x) for x in corner],
        "span": span,
        "points": _encode(np.round((mesh.points - corner) / span * _STEPS), "<u2"),
        "normals": _encode(np.round(_FULL * mesh.point_data["Normals"]), "i1"),
        "triangles": _encode(triangles, "<u2" if mesh.n_points <= _STEPS else "<u4"),
        "wide": mesh.n_points > _STEPS,
        "colour": layer.colours if one_colour else None,
        "colours": None if isinstance(layer.colours, str) else _encode(layer.colours, "u1"),
        "opacity": layer.opacity,
        "finish": vars(layer.finish),
        **_moves(layer),
    }


def _moves(layer: Layer) -> dict[str, Any]:
    """How points move, int16 (n, 3), to be scaled by ``reach``; nothing where they do not."""
    if layer.moves is None:
        return {"moves": None}
    reach = float(np.abs(layer.moves).max()) or 1.0
    return {"moves": _encode(np.round(layer.moves / reach * _FAR), "<i2"), "reach": reach}


def _encode(values: NDArray, kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode()
