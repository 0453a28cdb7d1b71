"""Shapes of given phases that begin from a cell: text that carries it, files that it is read from, designs near it."""

from __future__ import annotations

import imageio.v3 as imageio
import numpy as np
import pytest
import torch
from pydantic import ValidationError

from relaxdesign.cli.design import _start
from relaxdesign.io.fields import FieldError
from relaxdesign.microstructure.free_form.generators import draw_shapes
from relaxdesign.prior.model import load_prior
from relaxdesign.study.cell_text import read_cell, write_cell
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.run import design
from relaxdesign.study.start import start_field

TWO = {"family": "free-form", "phases": ("epoxy-unfilled", "alumina-ad-995")}


def request(**more) -> DesignRequest:
    return DesignRequest.model_validate({"target_bulk": 14.0} | TWO | more)


@pytest.fixture(scope="module")
def cell() -> np.ndarray:
    """A random lattice, (64, 64, 1)."""
    return draw_shapes("lattice", 1, 64, 2, torch.Generator().manual_seed(5))[0].numpy().astype(np.uint8)[..., None]


def test_text_carries_a_cell(cell):
    text = write_cell(cell)
    assert (read_cell(text) == cell).all() and len(text) < 2000
    assert DesignRequest.model_validate_json(request(start_cell=text).model_dump_json()).start_cell == text


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"start_cell": "64x64x1:AAAA"}, "start_cell: no cell"),
        ({"start_cell": write_cell(np.zeros((512, 512, 1))).replace("512x512", "4x4")}, "start_cell: no cell"),
        ({"start_cell": "9999999x99999999x1:"}, "start_cell: no cell"),
        ({"start_cell": write_cell(np.zeros((8, 8, 8)))}, "8 x 8 x 8 voxels, the request asks for 2D"),
        ({"start_cell": write_cell(np.full((8, 8, 1), 2))}, "has 3 phases, given are epoxy-unfilled, alumina-ad-995"),
        ({"start_cell": write_cell(np.zeros((8, 8, 1))), "phases": ()}, "a start_cell takes given phases"),
        ({"start_cell": write_cell(np.zeros((8, 8, 1))), "method": "topology"}, "only guided diffusion begins from"),
    ],
)
def test_what_no_request_begins_from(wrong, match):
    with pytest.raises(ValidationError, match=match):
        request(**wrong)


def test_a_cell_becomes_the_channels_of_the_prior(cell):
    prior = load_prior("free-form-2d-64")
    field, noise = start_field(request(start_cell=write_cell(cell), start_noise=0.3), prior)
    assert noise == 0.3 and field.shape == (1, 64, 64)
    assert (field[0].numpy() == 2.0 * cell[..., 0] - 1).all()
    with pytest.raises(FieldError, match=r"has \(8, 8, 1\) voxels, the prior free-form-2d-64 needs \(64, 64, 1\)"):
        start_field(request(start_cell=write_cell(np.zeros((8, 8, 1)))), prior)
    three = (cell + (np.arange(64)[:, None, None] > 30) * cell).astype(np.uint8)
    of_three = request(start_cell=write_cell(three), phases=("void", "invar-36", "epoxy-unfilled"))
    prior.offer(study_materials(of_three))
    field, _ = start_field(of_three, prior)
    assert field.shape == (2, 64, 64) and set(field[1][field[0] < 0].tolist()) == {0.0}
    assert (field[1][field[0] > 0].numpy() == 2.0 * three[..., 0][cell[..., 0] > 0] - 3).all()


def study_materials(given: DesignRequest):
    from relaxdesign.materials.catalogue import Catalogue

    return Catalogue.default().of_phases(given.phases)


def test_designs_are_nearer_to_the_cell_that_they_begin_from(cell):
    """Share of voxels of the same phase, over all shifts the largest. K is to be a seventh above that of the cell."""

    def agreement(**more) -> float:
        result = design(request(target_bulk=60.0, count=1, steps=8, seed=1, refine=False, **more))
        labels = result.designs[0].labels
        assert labels is not None
        signs = [torch.from_numpy(2.0 * part[..., 0] - 1) for part in (labels, cell)]
        spectra = [torch.fft.fft2(sign) for sign in signs]
        return float((1 + torch.fft.ifft2(spectra[0] * spectra[1].conj()).real.max() / cell.size) / 2)

    text = write_cell(cell)
    free, half, near = agreement(), agreement(start_cell=text), agreement(start_cell=text, start_noise=0.3)
    assert near >= half > 0.95 > 0.7 > free


def test_the_cell_comes_from_labels_or_an_image(cell, tmp_path):
    rows = np.kron(cell[..., 0].T, np.ones((2, 2)))
    noisy = 80 + 90 * rows + np.random.default_rng(0).normal(0, 12, rows.shape)
    imageio.imwrite(tmp_path / "grey.png", np.clip(noisy, 0, 255).astype(np.uint8))
    np.savez(tmp_path / "design.npz", phase=cell + 3, E=np.ones(cell.shape))
    for file, steps in (("design.npz", None), ("grey.png", ["median 3", "otsu", "downsample 2"])):
        fields = _start(str(tmp_path / file), steps, TWO["phases"])
        read = read_cell(request(**fields).start_cell)
        assert (read == cell).mean() > 0.98, file
    with pytest.raises(FieldError, match="add a step such as 'otsu'"):
        _start(str(tmp_path / "grey.png"), None, TWO["phases"])
    with pytest.raises(FieldError, match=r"has 2 phases, labels 3 .*; the request has 3"):
        _start(str(tmp_path / "design.npz"), None, ("void", *TWO["phases"]))
    with pytest.raises(ValueError, match="--start-step belongs to the --start of given phases"):
        _start(None, ["otsu"], TWO["phases"])
