"""What the commands share: where text goes, how errors end a command, how Ctrl-C is heard.

Standard output carries the result only; progress and messages go to standard error.
Exit codes: 0 done, 1 no result, 2 the user's input cannot be used, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

EXIT_NO_RESULT = 1
EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130

_WIDTH_OF_FILES = 160  # columns of a table that goes into a file or a pipe

messages = Console(stderr=True, highlight=False)


def output() -> Console:
    """The console of standard output; wide when it is no terminal."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH_OF_FILES)


def progress() -> Progress:
    """Bars on standard error: description, bar, count, times and a free text ``note``."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=messages,
    )


def fail(message: str, code: int) -> NoReturn:
    """Ends the command with one message."""
    messages.print(f"[bold red]Error:[/] {escape(message)}", soft_wrap=True)
    raise typer.Exit(code)


def interrupted(message: str) -> NoReturn:
    """Ends a command that Ctrl-C stopped; the message says what was kept and how it goes on."""
    messages.print(message, soft_wrap=True)
    raise typer.Exit(EXIT_INTERRUPTED)


def warn(what: str, warnings: Iterable[str]) -> None:
    """Tells what should be known of a file, and does not hinder."""
    for warning in warnings:
        messages.print(f"[bold yellow]Warning:[/] {escape(what)}: {escape(warning)}", soft_wrap=True)


@contextmanager
def user_errors() -> Iterator[None]:
    """Turns what a user can put right into one clear message and an exit code, never a traceback."""
    try:
        yield
    except ValidationError as error:
        from relaxdesign.study.request import problems

        fail("; ".join(problems(error)), EXIT_USER_ERROR)
    except ModuleNotFoundError as error:  # of an extra: the text names it
        fail(str(error), EXIT_NO_RESULT)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        fail(f"{where}{error.strerror or error}", EXIT_USER_ERROR)
    except ValueError as error:
        fail(str(error), EXIT_USER_ERROR)


@contextmanager
def stop_on_interrupt() -> Iterator[Callable[[], bool]]:
    """The first Ctrl-C makes the yielded function return True, the second ends at once."""
    stopped = False

    def handle(*_) -> None:
        nonlocal stopped
        if stopped:
            raise KeyboardInterrupt
        stopped = True
        messages.print("Stopping cleanly … (Ctrl-C again: at once)")

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = signal.signal(signal.SIGINT, handle)
    try:
        yield lambda: stopped
    finally:
        signal.signal(signal.SIGINT, before)
