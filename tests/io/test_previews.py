"""Previews: the slice that is shown is that of the whole image, and what a step cannot do is told."""

import numpy as np
import pytest

from relaxdesign.io.images import Image
from relaxdesign.io.previews import AROUND, Preview, Slab, preview, slab_of
from relaxdesign.io.segmentation import parse_steps, segment

GREY = np.random.default_rng(0).normal(
    np.where(np.indices((20, 16, 30)).sum(0) % 24 < 12, 60.0, 180.0), 10, (20, 16, 30)
)


def test_a_slab_holds_the_slices_around_one_and_tells_of_the_whole_image():
    slab = slab_of(Image(GREY, (1.0, 1.0, 2.0), "made"), 12)
    assert slab.values.shape == (20, 16, 2 * AROUND + 1) and slab.shape == (20, 16, 30)
    assert (slab.shown == GREY[:, :, 12]).all() and slab.counts.sum() == GREY.size and not slab.labels
    again = Slab.of(slab.arrays())
    assert (again.values == slab.values).all() and again.spacing == (1.0, 1.0, 2.0) and again.note == "made"
    assert slab_of(Image((GREY > 120).astype(int))).labels.keys() == {0, 1}


@pytest.mark.parametrize("texts", [["median 3", "threshold 120"], ["crop 2:18,:,6:30", "threshold 120", "remove 3"]])
def test_the_preview_shows_what_the_steps_make_of_the_image(texts):
    slab = slab_of(Image(GREY), 12)
    made = Preview.of(preview(slab, texts).arrays())
    whole = segment(Image(GREY), parse_steps(texts)).values
    place = 12 - (6 if "crop" in texts[0] else 0)
    assert made.labelled and not made.problem and (made.after == whole[:, :, place]).all()
    assert [found["step"] for found in made.found] == [step.text for step in parse_steps(texts)]


def test_what_a_step_cannot_do_is_told_and_the_steps_before_it_are_shown():
    slab = slab_of(Image(GREY), 12)
    made = preview(slab, ["threshold 120", "median 3"])
    assert made.labelled and made.problem.startswith("step 2, the step 'median 3' is for grey values")
    assert "show another slice" in preview(slab, ["crop :,:,20:30"]).problem
    assert "unknown step" in preview(slab, ["blur"]).problem
    coarse = preview(slab, ["otsu", "downsample 2", "nlm"])
    assert coarse.after.shape == (10, 8) and coarse.problem.startswith("step 3")
