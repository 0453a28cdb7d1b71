"""Threads that fit the size of a problem.

A solve is thousands of short operations. Split between threads, each of them ends with all threads waiting for the
last one. For cells of usual size that gains next to nothing (two cores, 32³: 0.12 s with one thread, 0.14 s with two),
and as soon as another program keeps a core busy it costs a scheduling delay per operation: 3 s instead of 0.15 s.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Concatenate, ParamSpec, TypeVar

import torch
from torch import Tensor

P = ParamSpec("P")
R = TypeVar("R")

VOXELS_PER_THREAD = 2**18


@contextmanager
def threads_for(voxels: int) -> Iterator[None]:
    """Use at most one CPU thread per `VOXELS_PER_THREAD` voxels (times batch) meanwhile, one at least."""
    before = torch.get_num_threads()
    torch.set_num_threads(min(before, max(1, voxels // VOXELS_PER_THREAD)))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def threads_to_fit(function: Callable[Concatenate[Tensor, P], R]) -> Callable[Concatenate[Tensor, P], R]:
    """Run a function with the threads that suit the size of its first argument, a field."""

    @functools.wraps(function)
    def run(field: Tensor, *args: P.args, **kwargs: P.kwargs) -> R:
        with threads_for(field.numel()):
            return function(field, *args, **kwargs)

    return run
