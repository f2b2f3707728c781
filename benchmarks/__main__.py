"""`make bench`: ours beside PEFT (`core`), what recording costs (`recorder`), steps in an editor (`dap`) and in
JupyterLab (`stepper`); or all."""

import argparse
import importlib

from prefix_lab.terminal.signs import all_signs

PARTS = ("core", "recorder", "dap", "stepper")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("part", nargs="?", choices=PARTS, help="one of these; without it, all")
    parser.add_argument("--runs", type=int, default=15, help="interleaved runs of each case (default 15)")
    asked = parser.parse_args()
    if asked.runs < 1:
        parser.error(f"--runs={asked.runs}, expected at least 1.")
    for part in PARTS if asked.part is None else (asked.part,):
        importlib.import_module(f"benchmarks.{part}").main(asked.runs)


if __name__ == "__main__":
    with all_signs():
        main()
