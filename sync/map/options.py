"""The options of a command that serves the map. Imports nothing that serves: a unit has no use for it."""

import argparse
from pathlib import Path
from typing import Any

OPTIONS = ("host", "token", "name", "tiles", "tiles_by")


class MapRefused(Exception):
    """The map is told something that is not allowed, or cannot be served: one sentence."""


def add_map_options(command: argparse.ArgumentParser) -> None:
    """Adds `--map` and what belongs to it."""
    group = command.add_argument_group("map")
    group.add_argument("--map", type=int, metavar="PORT", help="serve the map here, on this machine alone (docs/map.md)")
    group.add_argument("--map-host", metavar="ADDRESS", help="let others see it: an address of this machine; needs --map-token")
    group.add_argument("--map-token", type=Path, metavar="FILE", help="ask for the word in this file (16 characters at least)")
    group.add_argument(
        "--map-name", action="append", metavar="NAME", help="a host name by which it is reached, beside addresses (repeatable)"
    )
    group.add_argument("--map-tiles", metavar="URL", help="template of your own tile server: https://HOST/{z}/{x}/{y}.png")
    group.add_argument("--map-tiles-by", metavar="TEXT", help="whose tiles these are, shown in the map's corner")


def map_options(args: argparse.Namespace) -> dict[str, Any] | None:
    """What `sync.map.map_place` is given, None without `--map`.

    Raises:
        MapRefused: there is another option of the map.
    """
    given = {name: getattr(args, f"map_{name}") for name in OPTIONS}
    if args.map is None:
        lone = [f"--map-{name.replace('_', '-')}" for name, value in given.items() if value is not None]
        if lone:
            raise MapRefused(f"{lone[0]} belongs to --map PORT")
        return None
    return {
        "port": args.map,
        "token_file": given["token"],
        "names": tuple(given["name"] or ()),
        "tiles": given["tiles"],
        "credit": given["tiles_by"] or "",
        **({} if given["host"] is None else {"host": given["host"]}),
    }
