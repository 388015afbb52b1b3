"""`ronde provision authorise`: a signed permission for the safety profile, or what takes it back."""

import argparse
import json
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from provisioning.authorisation import (
    AUTHORISATION_FILE,
    FIRE,
    FOLDER,
    KEY_FILE,
    WITHDRAWAL_FILE,
    AuthorisationRefused,
    text_of,
)
from provisioning.fleet import Fleet
from provisioning.permit import Wanted, permit, withdraw
from sync.exit import DONE

DOES: Final = (
    "Sign a permission for the safety profile of one unit (FLEET/UNIT) or of all (FLEET/*), or take permissions back. Reads and "
    "writes the fleet's folder; the file then has to be brought to the unit."
)


def add_authorise_options(command: argparse.ArgumentParser) -> None:
    """The options of the command."""
    command.add_argument("unit", metavar="FLEET/UNIT", help="the unit: cannes/car-07; or 'cannes/*'")
    command.add_argument("--authority", metavar="TEXT", help="who permits it: an office, not a person")
    command.add_argument("--legal-reference", metavar="TEXT", help="by which law or decision")
    command.add_argument("--area", type=Path, metavar="FILE", help="where: GeoJSON with polygons")
    command.add_argument("--from", dest="begins_at", metavar="TIME", help="from when: 2026-05-12T06:00+02:00")
    command.add_argument("--to", dest="ends_at", metavar="TIME", help="until when, a year later at most")
    command.add_argument(
        "--event", action="append", metavar="EVENT", help=f"what is looked for, of the decree's eight (default: {FIRE})"
    )
    command.add_argument("--withdraw", type=int, metavar="N", help="take back every permission up to this number, for good")
    command.add_argument("--reason", default="withdrawn", metavar="TEXT", help="with --withdraw (default: %(default)s)")
    command.add_argument(
        "--key", type=Path, metavar="FILE", help="the key that signs (default: town.key, made at the first time)"
    )


def authorise(args: argparse.Namespace, fleet: Fleet) -> int:
    """Make the one or the other.

    Raises:
        AuthorisationRefused, KeyRefused, FleetRefused: one sentence.
    """
    if args.withdraw is not None:
        file = withdraw(fleet, args.withdraw, args.reason, args.key)
        told = {"withdrawal": str(file), "up_to": args.withdraw}
        words = (
            f"{file} takes back every permission of {fleet.plan.fleet} up to {args.withdraw}.\n"
            f"Bring it to each unit as {FOLDER / WITHDRAWAL_FILE}; it holds within a second, and for good."
        )
    else:
        made, file = permit(fleet, _wanted(args, fleet), args.key)
        told = {"permission": str(file), "number": made.number, "sha256": made.sha256, "units": list(made.units)}
        told |= {"events": list(made.events), "from": text_of(made.begins_at), "to": text_of(made.ends_at)}
        public = args.key.with_suffix(".pem") if args.key else fleet.folder / "town.pem"
        words = (
            f"Permission {made.number} for {', '.join(made.units)}: {', '.join(made.events)}.\n"
            f"From {text_of(made.begins_at)} until {text_of(made.ends_at)}.\n"
            f"Bring {file} to the unit as {FOLDER / AUTHORISATION_FILE}, and {public} as {FOLDER / KEY_FILE}.\n"
            "A card that is made from now on carries both."
        )
    print(json.dumps(told) if args.json else words)
    return DONE


def _wanted(args: argparse.Namespace, fleet: Fleet) -> Wanted:
    missing = [
        option
        for option, value in (
            ("--authority", args.authority),
            ("--legal-reference", args.legal_reference),
            ("--area", args.area),
            ("--from", args.begins_at),
            ("--to", args.ends_at),
        )
        if value is None
    ]
    if missing:
        raise AuthorisationRefused(f"a permission needs {', '.join(missing)}")
    if args.unit.partition("/")[0] != fleet.plan.fleet:
        raise AuthorisationRefused(f"{fleet.folder} holds the fleet {fleet.plan.fleet}, not {args.unit.partition('/')[0]}")
    return Wanted(
        authority=args.authority,
        legal_reference=args.legal_reference,
        units=(args.unit,),
        area=_area(args.area),
        begins_at=_moment("--from", args.begins_at),
        ends_at=_moment("--to", args.ends_at),
        events=tuple(args.event or (FIRE,)),
    )


def _moment(option: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise AuthorisationRefused(f"{option} {text!r} is no time with its zone, like 2026-05-12T06:00+02:00")
    return moment


def _area(file: Path) -> dict[str, Any]:
    """The polygons of a GeoJSON file as one MultiPolygon, without heights."""
    try:
        document = json.loads(file.read_bytes())
        polygons = [_flat(polygon) for polygon in _polygons(document)]
    except OSError as error:
        raise AuthorisationRefused(f"{file} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise AuthorisationRefused(f"{file} is no GeoJSON with polygons ({error})") from error
    if not polygons:
        raise AuthorisationRefused(f"{file} holds no polygon")
    return {"type": "MultiPolygon", "coordinates": polygons}


def _polygons(document: Any) -> list[Any]:
    match document["type"]:
        case "FeatureCollection":
            return [polygon for feature in document["features"] for polygon in _polygons(feature)]
        case "Feature":
            return _polygons(document["geometry"])
        case "Polygon":
            return [document["coordinates"]]
        case "MultiPolygon":
            return list(document["coordinates"])
        case other:
            raise ValueError(f"{other} is no polygon")


def _flat(polygon: Any) -> list[list[list[float]]]:
    return [[[float(position[0]), float(position[1])] for position in ring] for ring in polygon]
