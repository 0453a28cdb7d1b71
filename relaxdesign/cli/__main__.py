"""``python -m relaxdesign.cli``."""

from relaxdesign.cli import main

main()
