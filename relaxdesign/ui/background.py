"""Solves that a page needs, in threads of the server: the page stays quick, and what was solved is kept."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

import numpy as np
import streamlit as st

T = TypeVar("T")

KEPT = 64
PATIENCE_S = 0.6  # short solves are worth waiting for: no placeholder flickers


class Background:
    """Results by key, the last `KEPT` of them; two computations at a time, in the order they were asked for."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="relaxdesign-page")
        self._futures: OrderedDict[Hashable, Future] = OrderedDict()
        self._lock = threading.Lock()

    def submit(self, key: Hashable, function: Callable[[], T]) -> Future[T]:
        """The computation of this key, started if it is not known yet."""
        with self._lock:
            if key not in self._futures:
                self._futures[key] = self._pool.submit(function)
            self._futures.move_to_end(key)
            for old in list(self._futures)[: len(self._futures) - KEPT]:
                if self._futures[old].done():
                    del self._futures[old]
            return self._futures[key]

    def forget(self, key: Hashable) -> None:
        with self._lock:
            self._futures.pop(key, None)


@st.cache_resource(show_spinner=False)
def _background() -> Background:
    return Background()


def result(key: Hashable, function: Callable[[], T], doing: str) -> T | None:
    """What the function returns, kept under the key; None while it is computed, with a note in its place.

    The page is drawn anew when it is there. Errors of the function are raised here; all but a ValueError, which
    comes again for the same input, are tried anew the next time. doing: e.g. "Solving the six load cases".
    """
    future = _background().submit(key, function)
    wait([future], PATIENCE_S)
    if not future.done():
        _placeholder(future, doing, time.monotonic())
        return None
    if future.exception() is not None and not isinstance(future.exception(), ValueError):
        _background().forget(key)
    return future.result()


@st.fragment(run_every=0.4)
def _placeholder(future: Future, doing: str, since: float) -> None:
    if future.done():
        st.rerun()
    with st.container(border=True, height=120, horizontal_alignment="center", vertical_alignment="center"):
        st.markdown(f":gray[:material/hourglass_top: {doing} … {time.monotonic() - since:.0f} s]", width="content")


def digest(*arrays: np.ndarray | None) -> str:
    """A key for arrays by their contents."""
    hashed = hashlib.sha1(usedforsecurity=False)
    for array in arrays:
        hashed.update(b"none" if array is None else repr((array.shape, array.dtype)).encode())
        if array is not None:
            hashed.update(array.tobytes())
    return hashed.hexdigest()
