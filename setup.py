"""The distribution `ronde`: four packages, one command."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent

# ai-edge-litert is TensorFlow Lite's successor and 7 to 20 times faster on INT8 (docs/adr/0002). It has no 32-bit Arm
# wheel; there tflite-runtime is used, which fails at run time beside numpy 2 and which pip does not keep from it.
ON_LITERT = 'platform_machine != "armv7l" and platform_machine != "armv6l"'
ON_TFLITE = 'platform_machine == "armv7l" or platform_machine == "armv6l"'

BACKEND = ["iotcore>=0.4,<0.5"]
POSTGRES = ["psycopg>=3.1"]
PLOT = ["matplotlib>=3.8"]
GIS = ["pyogrio>=0.9"]
PDF = ["fpdf2>=2.8"]
PINS = ["gpiozero>=2"]
TRAIN = ["torch==2.13.0", "litert-torch==0.10.0"]

setup(
    name="ronde",
    version="0.1.0",
    description="The road survey of a town, on the car: a photo every four metres, people hidden before anything is written.",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=["device*", "inference*", "sync*", "provisioning*"]),
    package_data={
        "device": ["py.typed"],
        "inference": ["py.typed", "models/*.tflite", "models/*.json"],
        "sync": [
            "py.typed",
            "asyncapi.json",
            "schemas/*.json",
            "map/static/*",
            "map/static/*/*",
            "map/static/*/*/*",
            "panel/static/*",
        ],
        "provisioning": ["py.typed"],
    },
    entry_points={"console_scripts": ["ronde = sync.command:main"]},
    install_requires=[
        f"ai-edge-litert>=2.0; {ON_LITERT}",
        f"tflite-runtime>=2.14; {ON_TFLITE}",
        f"numpy>=1.26; {ON_LITERT}",
        f"numpy>=1.26,<2; {ON_TFLITE}",
        "pillow>=10.1",
        "gpsd-py3==0.3.0",
        "gpxpy>=1.6",
        "jeepney>=0.8",
        "paho-mqtt>=2.1,<3",
        "pynmea2>=1.19",
        "rfc8785>=0.1.4",
        "sqlite-utils>=4.2",
        "rich>=13",
        "cryptography>=42",
        "starlette>=0.40",
        "uvicorn>=0.30",
        'tomli>=2; python_version < "3.11"',
    ],
    extras_require={
        # On a Pi, picamera2 and libcamera come from the system (python3-picamera2) into a venv with system site-packages;
        # the extra names what a pip-only unit adds.
        "pi": [*PINS, *PDF],
        # The patrol log as PDF, away from a unit.
        "pdf": PDF,
        "backend": BACKEND,
        # The driver in Python; it needs the system's libpq, or psycopg[binary] brings its own.
        "postgres": POSTGRES,
        "plot": PLOT,
        # GDAL in a wheel, for exports as GeoPackage.
        "gis": GIS,
        "train": TRAIN,
        "dev": [
            *BACKEND,
            *PLOT,
            *GIS,
            *PDF,
            *PINS,
            # MIT; it carries axe-core, which is MPL-2.0 and used by tests alone.
            "axe-playwright-python>=0.1.8",
            "psycopg[binary]>=3.1",
            "hypothesis>=6.100",
            "import-linter>=2",
            "jsonschema[format]>=4.21",
            "mypy>=1.13",
            "playwright>=1.49",
            "pytest>=8",
            "pytest-xdist>=3.6",
            "ruff>=0.8",
        ],
    },
)
