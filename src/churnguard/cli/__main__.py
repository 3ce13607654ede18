"""``python -m churnguard.cli`` is the command ``churnguard``."""

from churnguard.cli import main

main()
