"""What a card says to the system that starts from it: cloud-init's three files, or for Bookworm a script that runs once.

The files are JSON where cloud-init takes YAML, which JSON is. Passwords of Wi-Fi networks are written as the key that is derived
from them, so that the card does not tell the word itself.
"""

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from shlex import quote
from typing import Any, Final

from provisioning.settings import CameraKind
from provisioning.unit_files import CONFIGURATION, OFFER

BOOT: Final = PurePosixPath("/boot/firmware/ronde")
STICK: Final = PurePosixPath("/run/ronde-card")
"""Where the card's folder is found by the unit: on its boot partition, or on a stick labelled CIDATA, which is mounted here."""

CONNECTIONS: Final = PurePosixPath("/etc/NetworkManager/system-connections")
UNITS: Final = PurePosixPath("/etc/systemd/system")
INSTALL: Final = "ronde-install.service"
OWN_ADDRESS: Final = "10.42.0.1/24"
"""Of the unit in its own Wi-Fi; systemd/ronde-panel.service lets this network in."""
AFTER_THE_DEPOT: Final = -10
"""The unit's own Wi-Fi is up where the depot's is not: NetworkManager takes the highest number first."""


GSTREAMER: Final = ("python3-gi", "gir1.2-gst-plugins-base-1.0", "gstreamer1.0-plugins-base", "gstreamer1.0-plugins-good")
LIBRARIES: Final[Mapping[CameraKind, tuple[str, ...]]] = {
    "picamera2": ("python3-picamera2", "python3-lgpio"),
    "v4l2": GSTREAMER,
    "argus": GSTREAMER,
    "recorded": (),
    "simulated": (),
}
"""What a kind of camera, and on a Pi the pins, need of the system. ronde's package cannot name it: no Debian has picamera2."""


@dataclass(frozen=True, slots=True)
class Wifi:
    """A network's name and its key of 64 hex digits."""

    name: str
    key: str


@dataclass(frozen=True, slots=True)
class Seed:
    """All that a card is told. `package` is the file's name on it; `own_radio` is the interface of the unit's own Wi-Fi."""

    unit: str
    instance: str
    host: str
    configuration: str
    country: str
    depot: Wifi | None
    own: Wifi | None
    own_radio: str
    package: str | None
    offer: str | None = None
    """Written into the system as well, for a seed that is not on the boot partition."""
    beside: Mapping[str, str] = field(default_factory=dict)
    """What stands beside the configuration: a permission for the safety profile, and whose it has to be."""
    libraries: tuple[str, ...] = ()
    """Debian packages that the unit's kind of camera needs, installed with ronde's."""


def wifi(name: str, password: str) -> Wifi:
    """A network with WPA2: IEEE 802.11i, annex H.4."""
    return Wifi(name, hashlib.pbkdf2_hmac("sha1", password.encode(), name.encode(), 4096, 32).hex())


def meta_data(seed: Seed) -> bytes:
    """cloud-init's meta-data: a new instance for each token, so that a card that is written again is read again."""
    return _json({"instance-id": seed.instance, "local-hostname": seed.host})


def network_config(seed: Seed) -> bytes:
    """cloud-init's network-config, version 2: a cable, and the depot's Wi-Fi. Nothing waits for either."""
    network: dict[str, Any] = {"version": 2, "ethernets": {"eth0": {"dhcp4": True, "optional": True}}}
    if seed.depot is not None:
        points = {seed.depot.name: {"password": seed.depot.key}}
        network["wifis"] = {"wlan0": {"dhcp4": True, "optional": True, "access-points": points}}
    return _json({"network": network})


def user_data(seed: Seed) -> bytes:
    """cloud-init's user-data: name, configuration, own Wi-Fi, and the package's installation.

    It gives nobody a password or a key: the image's own user stays locked.
    """
    files = [
        {"path": path, "content": content, "owner": "root:root", "permissions": f"{mode:04o}"}
        for path, (content, mode) in _files(seed).items()
    ]
    commands: list[list[str]] = [["rfkill", "unblock", "wifi"]]
    if seed.own is not None:
        commands.append(["sh", "-c", "nmcli connection reload || true"])
    if seed.package is not None:
        commands += [["systemctl", "daemon-reload"], ["systemctl", "enable", "--now", "--no-block", INSTALL]]
    document = {
        "hostname": seed.host,
        "manage_etc_hosts": True,
        "disable_root": True,
        "ssh_pwauth": False,
        "write_files": files,
        "runcmd": commands,
    }
    return b"#cloud-config\n" + _json(document)


def first_run(seed: Seed) -> bytes:
    """The same as a script for Raspberry Pi OS Bookworm, whose system runs it once before it starts in earnest."""
    lines = [
        "#!/bin/sh",
        f"# Made by `ronde provision card` for {seed.unit}. It runs once and removes itself, whatever becomes of it.",
        "set +e",
        f"/usr/lib/raspberrypi-sys-mods/imager_custom set_hostname {quote(seed.host)}",
        f"raspi-config nonint do_wifi_country {quote(seed.country)}",
    ]
    for path, (content, mode) in _files(seed, connections=True).items():
        lines += [
            f"mkdir -p {quote(str(PurePosixPath(path).parent))}",
            f"(umask 077 && cat >{quote(path)} <<'{_end_of(content)}'\n{content}{_end_of(content)}\n)",
            f"chmod {mode:04o} {quote(path)}",
        ]
    if seed.package is not None:
        lines.append(f"systemctl enable {INSTALL}")
    lines += [
        "rm -f /boot/firmware/firstrun.sh",
        r"sed -i 's| systemd\.[^ ]*||g' /boot/firmware/cmdline.txt",
        "exit 0",
        "",
    ]
    return "\n".join(lines).encode()


def _end_of(content: str) -> str:
    """A line that stands nowhere in what it ends."""
    return f"END_{hashlib.sha256(content.encode()).hexdigest()[:16]}"


def _files(seed: Seed, *, connections: bool = False) -> Mapping[str, tuple[str, int]]:
    """What is written into the unit's system: path to content and mode."""
    files = {f"/etc/ronde/{CONFIGURATION}": (seed.configuration.rstrip("\n") + "\n", 0o644)}
    files |= {f"/etc/ronde/{name}": (text.rstrip("\n") + "\n", 0o644) for name, text in seed.beside.items()}
    if seed.offer is not None:
        files[f"/etc/ronde/card/{OFFER}"] = (seed.offer, 0o600)
    if connections and seed.depot is not None:
        files[str(CONNECTIONS / "ronde-depot.nmconnection")] = (_depot_connection(seed.unit, seed.depot), 0o600)
    if seed.own is not None:
        files[str(CONNECTIONS / "ronde-own.nmconnection")] = (_own_connection(seed.unit, seed.own, seed.own_radio), 0o600)
    if seed.package is not None:
        files[str(UNITS / INSTALL)] = (_installation(seed), 0o644)
    return files


def _depot_connection(unit: str, network: Wifi) -> str:
    return _sections(
        {
            "connection": {"id": "ronde-depot", "uuid": _uuid(unit, "depot"), "type": "wifi", "interface-name": "wlan0"},
            "wifi": {"mode": "infrastructure", "ssid": _bytes(network.name)},
            "wifi-security": {"key-mgmt": "wpa-psk", "psk": network.key},
            "ipv4": {"method": "auto"},
            "ipv6": {"method": "auto"},
        }
    )


def _own_connection(unit: str, network: Wifi, radio: str) -> str:
    return _sections(
        {
            "connection": {
                "id": "ronde-own",
                "uuid": _uuid(unit, "own"),
                "type": "wifi",
                "interface-name": radio,
                "autoconnect-priority": str(AFTER_THE_DEPOT),
            },
            "wifi": {"mode": "ap", "band": "bg", "ssid": _bytes(network.name)},
            "wifi-security": {"key-mgmt": "wpa-psk", "proto": "rsn", "pairwise": "ccmp", "group": "ccmp", "psk": network.key},
            "ipv4": {"method": "shared", "address1": OWN_ADDRESS},
            "ipv6": {"method": "disabled"},
        }
    )


def _sections(sections: Mapping[str, Mapping[str, str]]) -> str:
    """A file of sections, as NetworkManager and systemd read it."""
    parts = ["\n".join((f"[{name}]", *(f"{key}={value}" for key, value in keys.items()), "")) for name, keys in sections.items()]
    return "\n".join(parts)


def _bytes(name: str) -> str:
    """A network's name as a list of bytes: whatever is in it, nothing of it is taken for something else."""
    return "".join(f"{byte};" for byte in name.encode())


def _uuid(unit: str, which: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"ronde:{unit}:{which}"))


def _installation(seed: Seed) -> str:
    """The service that installs the package from the card. It alone waits for a network, and tries until it has worked."""
    assert seed.package is not None
    folder, mount = (BOOT, "") if seed.offer is None else (STICK / "ronde", f"mkdir -p {STICK}; mount -o ro -L CIDATA {STICK}; ")
    wanted = " ".join((str(folder / seed.package), *seed.libraries))
    install = f"apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=600 {wanted}"
    return _sections(
        {
            "Unit": {
                "Description": "Installs ronde from its card, once",
                "ConditionPathExists": "!/opt/ronde/bin/ronde",
                "Wants": "network-online.target",
                "After": "network-online.target",
                "StartLimitIntervalSec": "0",
            },
            "Service": {
                "Type": "exec",
                "Environment": "DEBIAN_FRONTEND=noninteractive",
                "ExecStart": f"/bin/sh -c '{mount}apt-get update -q; {install}'",
                "Restart": "on-failure",
                "RestartSec": "60s",
            },
            "Install": {"WantedBy": "multi-user.target"},
        }
    )


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, indent=1).encode() + b"\n"
