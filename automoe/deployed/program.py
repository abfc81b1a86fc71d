"""This module is the program of a bundle: it translates standard input, a sentence on each line.

python translate.py [--beam 4] [--threads 1] [--batch-tokens 1024] [--flush] < text
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from automoe.deployed.lines import decoded, translate_lines
from automoe.deployed.translator import Translator

_INTERRUPTED = 130


def main() -> None:
    """Translate with the bundle of the folder that the program lies in."""
    parser = argparse.ArgumentParser(
        prog="translate.py", description="Translate standard input, a sentence on each line."
    )
    parser.add_argument("--beam", type=int, default=4, help="hypotheses of a sentence")
    parser.add_argument("--length-penalty", type=float, default=0.6)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch-tokens", type=int, default=1024, help="source tokens together")
    parser.add_argument("--errors", choices=["strict", "replace"], default="strict")
    parser.add_argument("--flush", action="store_true", help="answer line by line")
    given = parser.parse_args()
    try:
        translator = Translator.open(
            Path(sys.argv[0]).parent,
            beam=given.beam,
            length_penalty=given.length_penalty,
            threads=given.threads,
        )
        numbered = enumerate(sys.stdin.buffer, start=1)
        lines = (decoded(line, number, given.errors) for number, line in numbered)
        for text in translate_lines(
            translator, lines, batch_tokens=given.batch_tokens, flush=given.flush
        ):
            print(text, flush=given.flush)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except BrokenPipeError:  # nobody reads any more, as after `| head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
