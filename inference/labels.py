"""The labels of ronde, what people call them, and what other data sets call them.

A label's `name` is stable: it stands in events, columns and models. Everything a person reads comes from this one table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

Kind = Literal["road", "cover", "sign", "safety", "mark", "hiding"]


@dataclass(frozen=True, slots=True)
class Label:
    """One kind of thing; `rdd_code` is its class in the Road Damage Dataset (arXiv 2209.08538), where it has one.

    Things of kind "hiding" are found only to be hidden: they are never reported. What a person has marked is of kind "mark": no
    model finds it.
    """

    name: str
    english: str
    french: str
    kind: Kind
    rdd_code: str | None = None


LABELS: Final = (
    Label("crack_longitudinal", "longitudinal crack", "fissure longitudinale", "road", "D00"),
    Label("crack_transverse", "transverse crack", "fissure transversale", "road", "D10"),
    Label("crack_alligator", "alligator cracking", "faïençage", "road", "D20"),
    Label("pothole", "pothole", "nid-de-poule", "road", "D40"),
    Label("patch", "patched surface", "réparation de chaussée", "road"),
    Label("manhole", "manhole cover", "plaque d'égout", "cover"),
    Label("manhole_open", "open manhole", "regard ouvert", "cover"),
    Label("drain", "storm drain", "avaloir", "cover"),
    Label("sign_danger", "danger sign", "panneau de danger", "sign"),
    Label("sign_prohibition", "prohibition sign", "panneau d'interdiction", "sign"),
    Label("sign_mandatory", "mandatory sign", "panneau d'obligation", "sign"),
    Label("sign_yield", "yield sign", "panneau cédez-le-passage", "sign"),
    Label("sign_stop", "stop sign", "panneau stop", "sign"),
    Label("traffic_light", "traffic light", "feu de signalisation", "sign"),
    Label("fire", "fire", "incendie", "safety"),
    Label("smoke", "smoke", "fumée", "safety"),
    Label("hazard", "hazard marked by the driver", "danger signalé par le conducteur", "mark"),
    Label("face", "face", "visage", "hiding"),
    Label("plate", "number plate", "plaque d'immatriculation", "hiding"),
    Label("person", "person", "personne", "hiding"),
    Label("vehicle", "vehicle", "véhicule", "hiding"),
)

BY_NAME: Final[Mapping[str, Label]] = MappingProxyType({label.name: label for label in LABELS})

# A data set may say "crack" without saying which: a pseudo label that stands for any of the three, never detected or reported.
CRACK: Final = "crack"
CRACKS: Final = ("crack_longitudinal", "crack_transverse", "crack_alligator")

# Names of categories in the data sets -> ours. Each of our own names stands for itself.
SOURCE_CATEGORIES: Final[Mapping[str, str]] = MappingProxyType(
    {label.name: label.name for label in LABELS}
    | {label.rdd_code: label.name for label in LABELS if label.rdd_code}
    | {
        "Repair": "patch",
        "crack": CRACK,
        "manhole_closed": "manhole",
        "license-plate": "plate",
    }
)


def label_of(category: Mapping[str, object]) -> str | None:
    """Gives our label of a COCO category (`CRACK` for a crack of unknown kind), or None where we have none.

    A category of signs-germany is judged by its field `signs_france`: its 43 names say more than our five signs. Those without
    the field (priority road, ends of restrictions) are no label of ours, even where another set uses the same word.
    """
    if "supercategory" in category:
        return SOURCE_CATEGORIES.get(str(category.get("signs_france")))
    return SOURCE_CATEGORIES.get(str(category["name"]))
