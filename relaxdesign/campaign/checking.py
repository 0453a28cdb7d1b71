"""What only the files here can tell of a request: whether its categories, its materials and its prior exist."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from relaxdesign.materials.catalogue import Catalogue, CatalogueError
from relaxdesign.prior.model import shipped_priors, weights_path
from relaxdesign.study.request import DesignRequest


def unknown_names(request: DesignRequest, materials: Catalogue | None) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Fields that name what does not exist, each with a text that tells what does.

    materials: the campaign's own; None: those of the request, or the shipped ones.
    """
    if request.prior is not None and not weights_path(request.prior).exists():
        yield ("prior",), f"unknown prior {request.prior!r}; shipped are {', '.join(shipped_priors())}"
    try:
        offered = materials or _catalogue(request.materials_csv)
    except CatalogueError as error:
        yield ("materials_csv",), "; ".join(error.problems[:3])
        return
    for number, name in enumerate(request.categories or ()):
        if name not in offered.categories:
            yield ("categories", number), f"unknown category {name!r}; there are {', '.join(offered.categories)}"
    for number, name in enumerate(request.exclude):
        try:
            offered.find(name)
        except ValueError as error:
            yield ("exclude", number), " ".join(str(error).split())


def with_ids(request: DesignRequest, materials: Catalogue | None) -> DesignRequest:
    """The same request with what it excludes named by id; materials as in `unknown_names`, which found no fault."""
    offered = materials or _catalogue(request.materials_csv)
    return request.model_copy(update={"exclude": tuple(offered.find(name).id for name in request.exclude)})


@lru_cache(maxsize=4)
def _catalogue(csv: str | None) -> Catalogue:
    return Catalogue.default() if csv is None else Catalogue.from_text(csv)
