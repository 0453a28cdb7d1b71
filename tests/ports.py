"""Which ports processes hold open."""

from __future__ import annotations

import contextlib
import ipaddress
import socket

import psutil


def listening(pid: int) -> set[tuple[str, int]]:
    """Addresses and ports at which a process and its children wait for others than this machine's own programs."""
    first = psutil.Process(pid)
    found = set()
    for process in (first, *first.children(recursive=True)):
        with contextlib.suppress(psutil.Error):  # it has just ended
            for one in process.net_connections("inet"):
                waits = one.status == psutil.CONN_LISTEN or (one.type == socket.SOCK_DGRAM and not one.raddr)
                if waits and not ipaddress.ip_address(one.laddr.ip).is_loopback:
                    found.add((one.laddr.ip, one.laddr.port))
    return found
