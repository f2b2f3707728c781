"""`python -m prefix_lab` is `prefix-lab`."""

import sys

from prefix_lab.terminal.commands import main

if __name__ == "__main__":
    sys.exit(main())
