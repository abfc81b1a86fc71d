"""``python -m automoe``, which is how launchers such as ``accelerate launch -m`` start it."""

import sys

from automoe.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
