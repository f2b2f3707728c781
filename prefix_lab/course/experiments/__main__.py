"""`python -m prefix_lab.course.experiments NAME`: measure what is missing, then print the table and the sentence.

With the shipped data nothing is missing, so it prints at once. `--data FOLDER` measures anew, into a folder of yours;
broken off, it goes on where it was when it is run again.
"""

import argparse
from pathlib import Path

import torch

from prefix_lab.checkpoint import write_whole
from prefix_lab.course.experiments import EXPERIMENTS
from prefix_lab.course.experiments.runs import DATA, Results
from prefix_lab.course.experiments.shown import page, shown


def main(arguments: list[str] | None = None) -> None:
    """The command. Exits with code 2 and a message for a bad argument, and with 130 when it is broken off."""
    told = "\n".join(f"  {name:<11}{one.title}" for name, one in EXPERIMENTS.items())
    parser = argparse.ArgumentParser(
        prog="python -m prefix_lab.course.experiments",
        description=f"{__doc__}\nNAME is all, or one of\n{told}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="NAME", choices=["all", *EXPERIMENTS], help="which experiment")
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of measured cells (default: the shipped)")
    parser.add_argument("--page", type=Path, help="write plots, tables and sentences into this HTML file, too")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)  # so small a model is no faster on two, and the figures are those of one
    names = list(EXPERIMENTS) if given.name == "all" else [given.name]
    found = []
    for name in names:
        try:
            results = Results(EXPERIMENTS[name], given.data)
            results.run()
        except ValueError as error:
            parser.error(str(error))
        except KeyboardInterrupt:
            left = len(results.missing())
            parser.exit(130, f"\nBroken off; {left} cells of {name} are left. The same command goes on from here.\n")
        found.append(shown(results))
        print(f"{found[-1]}\n")
    if given.page:
        write_whole(given.page, page(found).encode())
        print(f"written: {given.page}")


if __name__ == "__main__":
    main()
