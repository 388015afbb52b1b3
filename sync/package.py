"""An export as a GeoPackage (OGC 12-128), which QGIS and all that use GDAL open. Written by GDAL itself, in the extra [gis]."""

import json
import struct
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from device.utc import parse_utc
from sync.layers import ExportRefused, Feature, Geometry, Layer

CRS: Final = "EPSG:4326"
UTC: Final = 100
"""GDAL's word for it."""


def write_package(layers: Sequence[Layer], file: Path) -> int:
    """Writes a new file with a table for each layer that has features; how many features. It appears when it is whole.

    Raises:
        ExportRefused: the extra is missing, there is such a file already, or it cannot be written.
    """
    try:
        from pyogrio import raw  # noqa: PLC0415 - of the extra [gis]; a unit needs none
        from pyogrio.errors import DataLayerError, DataSourceError  # noqa: PLC0415
    except ImportError as error:
        raise ExportRefused(f"a GeoPackage needs pyogrio: pip install 'ronde[gis]' ({error})") from error
    if file.exists():
        raise ExportRefused(f"{file}: is there already; a GeoPackage is written to a new file")
    written = 0
    try:
        with tempfile.TemporaryDirectory(prefix=".ronde-", dir=file.parent) as folder:
            made = Path(folder) / "export.gpkg"
            for layer in layers:
                features = list(layer.features)
                _write(raw, layer, features, made)
                written += len(features)
            made.replace(file)
    except (OSError, DataSourceError, DataLayerError) as error:
        raise ExportRefused(f"{file}: cannot be written: {getattr(error, 'strerror', None) or error}") from error
    return written


def _write(raw: Any, layer: Layer, features: Sequence[Feature], file: Path) -> None:
    columns = ["id", *(each for each in layer.columns if each != "id")]
    data, masks = zip(*(_column([_value(feature, name) for feature in features]) for name in columns), strict=True)
    zones = {name: np.full(len(features), UTC) for name, each in zip(columns, data, strict=True) if each.dtype.kind == "M"}
    raw.write(
        file,
        geometry=np.array([_wkb(feature, layer.geometry) for feature in features], dtype=object),
        field_data=list(data),
        field_mask=list(masks),
        fields=columns,
        geometry_type=layer.geometry,
        crs=CRS,
        driver="GPKG",
        layer=layer.name,
        append=file.exists(),
        gdal_tz_offsets=zones,
    )


def _value(feature: Feature, name: str) -> Any:
    return feature.id if name == "id" else feature.values[name]


def _column(values: Sequence[Any]) -> tuple[Any, Any]:
    """The values of one kind, and where there is none."""
    mask = np.array([value is None for value in values], bool)
    there = [value for value in values if value is not None]
    if there and all(isinstance(value, int) and not isinstance(value, bool) for value in there):
        return np.array([0 if value is None else value for value in values], np.int64), mask
    if there and all(isinstance(value, int | float) and not isinstance(value, bool) for value in there):
        return np.array([np.nan if value is None else value for value in values], np.float64), mask
    moments = [parse_utc(value) if isinstance(value, str) else None for value in values]
    if there and all(moment is not None or missing for moment, missing in zip(moments, mask, strict=True)):
        return np.array([None if each is None else each.replace(tzinfo=None) for each in moments], "datetime64[ms]"), mask
    return np.array([_text(value) for value in values], dtype=object), mask


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _wkb(feature: Feature, geometry: Geometry) -> bytes:
    """Well-known binary (OGC 06-103r4), little endian."""
    if geometry == "Point":
        return struct.pack("<BI2d", 1, 1, *feature.positions[0])
    flat = [each for position in feature.positions for each in position]
    return struct.pack(f"<BII{len(flat)}d", 1, 2, len(feature.positions), *flat)
