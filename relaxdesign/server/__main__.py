"""The child in which runs are computed: ``python -m relaxdesign.server MEMORY_MB``, started by the server."""

from relaxdesign.server.worker import main

main()
