"""The end of a server's process, by SIGTERM or Ctrl-C: what it computes is handed over in good order."""

from __future__ import annotations

import atexit
import threading

from relaxdesign.server.manager import JobManager


def close_with_process(manager: JobManager) -> None:
    """Closes the queue when the main thread has ended, as Streamlit's does after a signal.

    At once, and not only when other threads of the process have finished their work, since whoever sent the signal may
    not wait that long.
    """

    def close() -> None:
        threading.main_thread().join()
        manager.close()

    threading.Thread(target=close, name="relaxdesign-leaving", daemon=True).start()
    atexit.register(manager.close)  # the process does not end before that is done
