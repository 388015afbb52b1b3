"""`ronde export`: what was found, in the forms that others take."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final, TextIO

from provisioning.settings import DEFAULT_FILE, read_settings
from sync.exit import DONE
from sync.export import UNIT_LAYERS, reading, unit_layer
from sync.layers import ExportRefused, Layer

DOES: Final = (
    "Findings, rounds, grades, things and tasks as GeoJSON, CSV or GeoPackage, or the photos as an image sequence. Reads "
    "ronde.db in DIR, or a receiver's database; writes --out, or prints."
)
FORMS: Final = ("geojson", "csv", "gpkg", "tasks", "images")
LAYERS: Final = ("findings", "tracks", "grades", "things", "tasks")


def add_export_options(command: argparse.ArgumentParser) -> None:
    """Adds what `run_export` reads."""
    command.add_argument(
        "folder", type=Path, nargs="?", metavar="DIR", help="folder that holds ronde.db (default: the configuration's state)"
    )
    command.add_argument("--config", type=Path, default=DEFAULT_FILE, metavar="FILE", help="configuration (default: %(default)s)")
    command.add_argument("--db", metavar="URL", help="a receiver's database instead: sqlite:///FILE, or postgresql://...")
    command.add_argument(
        "--to",
        choices=FORMS,
        default="geojson",
        help="format; tasks: CSV with the columns of Open311; images: geotagged photos (default: %(default)s)",
    )
    command.add_argument(
        "--layer",
        choices=LAYERS,
        help="what is exported; things are in a receiver's database alone (default: findings; gpkg: all)",
    )
    command.add_argument("--out", type=Path, metavar="FILE", help="file to write (default: print it); images: a new folder")


def run_export(args: argparse.Namespace) -> int:
    """Exports, for the command line.

    Raises:
        ExportRefused: what is asked for does not go together, or cannot be read or written.
        DatabaseRefused, DatabaseFailed: the receiver's database cannot be read.
    """
    if args.db is not None and args.folder is not None:
        raise ExportRefused("DIR and --db: one of them, a unit's folder or a receiver's database")
    if args.to in ("images", "tasks") and args.layer is not None:
        raise ExportRefused(f"--layer does not go with --to {args.to}, which has one of its own")
    if args.to in ("images", "gpkg") and args.out is None:
        raise ExportRefused(f"--to {args.to} needs --out, {'a new folder for them' if args.to == 'images' else 'a new file'}")
    if args.to == "images":
        return _images(args)
    with ExitStack() as stack:
        layer_of, names = stack.enter_context(_source(args))
        wanted = _wanted(args, names)
        if args.to == "gpkg":
            from sync.package import write_package  # noqa: PLC0415 - it imports numpy

            write_package([layer_of(name) for name in wanted], args.out)
        else:
            out = stack.enter_context(_out(args.out, newline="" if args.to in ("csv", "tasks") else None))
            _write(layer_of(wanted[0]), args.to, out)
    return DONE


def _images(args: argparse.Namespace) -> int:
    from sync.sequence import export_images  # noqa: PLC0415 - it imports Pillow

    if args.db is not None:
        raise ExportRefused("--to images takes the photos of a unit: a receiver has none but the pictures of findings")
    print(export_images(_folder(args), args.out).in_words())
    return DONE


def _folder(args: argparse.Namespace) -> Path:
    folder: Path = args.folder or read_settings(args.config).unit.state
    return folder


@contextmanager
def _source(args: argparse.Namespace) -> Iterator[tuple[Callable[[str], Layer], tuple[str, ...]]]:
    """Which layers there are, and each by its name."""
    if args.db is None:
        with reading(_folder(args) / "ronde.db") as db:
            yield (lambda name: unit_layer(db, name)), UNIT_LAYERS
        return
    from sync.export_town import TOWN_LAYERS, town_layer  # noqa: PLC0415 - a unit has no use for them
    from sync.receiver.databases import open_atlas  # noqa: PLC0415

    with closing(open_atlas(args.db)) as atlas:
        yield (lambda name: town_layer(atlas, name)), TOWN_LAYERS


def _wanted(args: argparse.Namespace, names: tuple[str, ...]) -> tuple[str, ...]:
    if args.to == "tasks":
        return ("tasks",)
    if args.layer is None:
        return names if args.to == "gpkg" else ("findings",)
    if args.layer not in names:
        raise ExportRefused(f"--layer {args.layer}: a unit's database has none; give a receiver's with --db")
    return (args.layer,)


def _write(layer: Layer, form: str, out: TextIO) -> None:
    from sync.forms import write_csv, write_geojson  # noqa: PLC0415

    if form == "geojson":
        write_geojson(layer, out)
    else:
        write_csv(layer, out)


@contextmanager
def _out(file: Path | None, newline: str | None) -> Iterator[TextIO]:
    """Where to write: a file that appears when it is whole, or what is printed."""
    if file is None:
        yield sys.stdout
        return
    try:
        with tempfile.TemporaryDirectory(prefix=".ronde-", dir=file.parent) as folder:
            made = Path(folder) / file.name
            with made.open("w", encoding="utf-8", newline=newline) as part:
                yield part
            made.replace(file)
    except OSError as error:
        raise ExportRefused(f"{file}: cannot be written: {error.strerror or error}") from error
