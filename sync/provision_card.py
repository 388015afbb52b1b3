"""`ronde provision card`: what is asked, shown and written."""

import argparse
import getpass
import json
import re
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from provisioning.card import KINDS, CardRefused, Change, Ignition, Kind, Order, changes_of, kind_of, write
from provisioning.card_device import boot_partition
from provisioning.card_seed import LIBRARIES, Seed, Wifi, wifi
from provisioning.enrolment import is_good
from provisioning.fleet import Fleet
from provisioning.offer import hash_of, written
from provisioning.permit import beside
from provisioning.unit_files import HOST, access_point_of, files_of

NO_OWN_WIFI: Final = "none"
PACKAGE: Final = re.compile(r"ronde_[0-9A-Za-z.+~-]+_(arm64|amd64)\.deb")
MOST_GPIO: Final = 27
"""The highest number on a Pi's header."""
HIDDEN: Final = "(hidden)"


def write_card(args: argparse.Namespace, fleet: Fleet, name: str) -> bool:
    """Writes the card, after it was asked whether to; whether it was written.

    Raises:
        CardRefused, PaperRefused, SettingsError: it cannot be; nothing was written.
    """
    with _opened(args.target) as folder:
        kind = kind_of(folder, seed=args.seed)
        order = _order(args, fleet, name, kind)
        changes = changes_of(kind, folder, order)
        if args.dry_run or not args.json:
            print(_shown(args, kind, order, changes), file=sys.stderr if args.json else sys.stdout)
        if not args.dry_run and _agreed(args):
            write(folder, changes)
            if args.json:
                print(json.dumps({"unit": order.seed.unit, "card": KINDS[kind], "files": [each.name for each in changes]}))
            else:
                print(f"The card is {order.seed.unit}'s. Its token is good until {order.offer.expires_at[:10]}.")
            return True
    return args.dry_run is True


def _opened(target: Path) -> AbstractContextManager[Path]:
    if target.is_block_device():
        return boot_partition(target)
    return nullcontext(target)


def _order(args: argparse.Namespace, fleet: Fleet, name: str, kind: Kind) -> Order:
    files = files_of(fleet, name)
    offer, record = files.offer(), fleet.register.get(name)
    if record is None or not is_good(record, offer.token, datetime.now(timezone.utc)):
        new = f"ronde provision unit {fleet.plan.fleet}/{name}"
        raise CardRefused(f"the token in {files.offer_file} is used or has run out; {new} makes a new one")
    settings = files.settings()  # checked here, not in a car
    host = args.hostname or f"ronde-{name}"
    if not HOST.fullmatch(host):
        raise CardRefused(f"{host!r} is no host name")
    if not re.fullmatch(r"[A-Z]{2}", args.country):
        raise CardRefused(f"--country {args.country!r} is no country; two capital letters: FR")
    seed = Seed(
        unit=offer.unit,
        instance=f"ronde-{fleet.plan.fleet}-{name}-{hash_of(offer.token)[:8]}",
        host=host,
        configuration=files.configuration_file.read_text(encoding="utf-8"),
        country=args.country,
        depot=_depot(args),
        own=_own(args, kind, name, record.access_point),
        own_radio=args.access_point,
        package=_package(args.package),
        libraries=LIBRARIES[settings.camera.kind],
        offer=written(offer).decode() if kind == "seed" else None,
        beside=beside(files.folder),
    )
    return Order(seed, offer, args.package, _ignition(args))


def _ignition(args: argparse.Namespace) -> Ignition | None:
    if args.ignition_gpio is None:
        if args.ignition_rises:
            raise CardRefused("--ignition-rises says how the line of --ignition-gpio N tells it; no line is named")
        return None
    if not 0 <= args.ignition_gpio <= MOST_GPIO:
        raise CardRefused(f"--ignition-gpio {args.ignition_gpio}: allowed: 0 to {MOST_GPIO}")
    return Ignition(args.ignition_gpio, args.ignition_rises)


def _depot(args: argparse.Namespace) -> Wifi | None:
    if args.wifi is None:
        return None
    if not 1 <= len(args.wifi.encode()) <= 32:
        raise CardRefused("--wifi: a network's name has 1 to 32 bytes")
    if args.wifi_password_file is not None:
        try:
            password = args.wifi_password_file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise CardRefused(f"{args.wifi_password_file} cannot be read: {error}") from error
    elif sys.stdin.isatty():
        password = getpass.getpass(f"Password of the Wi-Fi {args.wifi}: ")
    else:
        raise CardRefused("--wifi needs its password: --wifi-password-file, or a terminal to type it")
    if not re.fullmatch(r"[ -~]{8,63}", password):
        raise CardRefused("a Wi-Fi password (WPA2) has 8 to 63 printable ASCII characters")
    return wifi(args.wifi, password)


def _own(args: argparse.Namespace, kind: Kind, name: str, password: str) -> Wifi | None:
    """The unit's own Wi-Fi. Ubuntu's server has no NetworkManager, and nothing else of its own that makes one."""
    if args.access_point == NO_OWN_WIFI or kind == "ubuntu":
        return None
    if not re.fullmatch(r"[a-z][a-z0-9]{0,14}", args.access_point):
        raise CardRefused(f"--access-point {args.access_point!r} is no network interface: wlan0, wlan1, or none")
    return wifi(access_point_of(name), password)


def _package(file: Path | None) -> str | None:
    if file is None:
        return None
    if not PACKAGE.fullmatch(file.name):
        raise CardRefused(f"{file.name} is no package of ronde: ronde_VERSION_arm64.deb")
    try:
        with file.open("rb") as content:
            right = content.read(8) == b"!<arch>\n"
    except OSError as error:
        raise CardRefused(f"{file} cannot be read: {error.strerror}") from error
    if not right:
        raise CardRefused(f"{file} is no Debian package")
    return file.name


def _agreed(args: argparse.Namespace) -> bool:
    if args.yes:
        return True
    if not sys.stdin.isatty():
        raise CardRefused("nobody is there to be asked; --yes writes without asking")
    return input(f"Write this to {args.target}? [y/N] ").strip().lower() in {"y", "yes"}


def _shown(args: argparse.Namespace, kind: Kind, order: Order, changes: Sequence[Change]) -> str:
    """What will be written: names, or with --dry-run every line of it, but for the secrets."""
    seed = order.seed
    lines = [f"{args.target}: {KINDS[kind]}, to be the card of {seed.unit}, host name {seed.host}"]
    lines.append(f"depot's Wi-Fi: {seed.depot.name if seed.depot else 'none, a cable or nothing'}")
    if seed.own is not None:
        lines.append(f"own Wi-Fi: {seed.own.name} on {seed.own_radio}; ronde provision show {seed.unit} tells its password")
    else:
        lines.append("own Wi-Fi: none")
    lines.append(f"package: {seed.package or 'none, ronde has to be in the image'}")
    secrets = [order.offer.token, *(each.key for each in (seed.depot, seed.own) if each is not None)]
    for each in changes:
        size = len(each.content) if isinstance(each.content, bytes) else each.content.stat().st_size
        lines.append(f"{'== ' if args.dry_run else '   '}{each.name}, {size:,} bytes")
        if args.dry_run and isinstance(each.content, bytes):
            text = each.content.decode()
            for secret in secrets:
                text = text.replace(secret, HIDDEN)
            lines.append(text)
    return "\n".join(lines)
