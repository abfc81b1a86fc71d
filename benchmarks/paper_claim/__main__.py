"""This file lets ``python benchmarks/paper_claim STEP`` start the experiment."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # the files import each other by name

from paper_claim.command import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
