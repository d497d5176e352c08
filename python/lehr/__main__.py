"""The program ``lehr``: ``python -m lehr schedule show cosine --steps 1000``."""

import signal
import sys

from ._core import run_program


def main() -> None:
    """Runs the program with this process's arguments and exits with its code."""
    # The program handles Ctrl-C itself; Python's handler would wait for it to return.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(run_program(["lehr", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
