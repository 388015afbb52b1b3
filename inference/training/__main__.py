"""Makes the models: `python -m inference.training TASK` trains, `... ship TASK` makes the file that runs."""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from inference.training.fit import Course, fit
from inference.training.sets import TASKS


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command."""
    chosen = _parser().parse_args(arguments)
    if chosen.command == "ship":
        from inference.training.ship import Order, ship  # noqa: PLC0415  # training needs nothing that ship brings

        ship(Order(chosen.task, chosen.run, chosen.data, chosen.weights, chosen.name, chosen.models))
    else:
        given = vars(chosen)
        course = Course(chosen.command, **{name: given[name] for name in Course._fields[1:]})
        fit(course, partial(print, flush=True))


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--data", type=Path, required=True, help="folder of the picture sets")
    common.add_argument("--weights", type=Path, required=True, help="folder with nanodet.json and nanodet.bin")
    parser = argparse.ArgumentParser(prog="python -m inference.training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for task in TASKS:
        train = commands.add_parser(task, parents=[common], help=f"train the {task} network, or go on training it")
        train.add_argument("--out", type=Path, required=True, help="folder of the run and its checkpoint")
        train.add_argument("--minutes", type=float, required=True)
        train.add_argument("--seed", type=int, default=0)
        train.add_argument("--threads", type=int, default=2)
        train.add_argument("--start", type=Path, help="another run's checkpoint, whose weights are trained on (not NanoDet's)")
        train.add_argument("--clear", action="store_true", help="leave out the sets whose licence is unclear")
    shipping = commands.add_parser("ship", parents=[common], help="convert, quantize, judge and describe a trained network")
    shipping.add_argument("task", choices=list(TASKS))
    shipping.add_argument("--run", type=Path, required=True, help="folder of the run")
    shipping.add_argument("--name", required=True, help="name of the model, roads-1 for example")
    shipping.add_argument("--models", type=Path, default=Path(__file__).parents[1] / "models")
    return parser


if __name__ == "__main__":
    main()
