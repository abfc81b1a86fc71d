"""This module makes ``python -m automoe`` work, as launchers such as ``accelerate`` start it."""

import sys

from automoe.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
