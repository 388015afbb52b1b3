"""Writes picamera2_api.json: what picamera2's classes can be called with, read from its source distribution.

Picamera2 cannot be imported away from a Pi, so its tests run against a double. This makes the double honest: names,
parameters and defaults come from the source itself, by `ast`, and nothing else does. To renew it:

    pip download --no-deps --no-binary :all: picamera2==VERSION
    python tests/device/doubles/generate_picamera2.py picamera2-VERSION.tar.gz
"""

import ast
import hashlib
import json
import re
import sys
import tarfile
from pathlib import Path

CLASSES = {"picamera2.py": ["Picamera2"], "request.py": ["CompletedRequest"], "job.py": ["Job"]}
HERE = Path(__file__).parent


def described(sdist: Path) -> dict[str, object]:
    """The description of the three classes in `sdist`."""
    name, version = sdist.name.removesuffix(".tar.gz").rsplit("-", 1)
    classes = {}
    with tarfile.open(sdist) as archive:
        for module, names in CLASSES.items():
            member = archive.extractfile(f"{name}-{version}/{name}/{module}")
            assert member is not None
            tree = ast.parse(member.read())
            found = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
            classes |= {each: describe_class(found[each]) for each in names}
    sha256 = hashlib.sha256(sdist.read_bytes()).hexdigest()
    return {"package": name, "version": version, "sdist_sha256": sha256, "generated_by": Path(__file__).name, "classes": classes}


def describe_class(node: ast.ClassDef) -> dict[str, object]:
    """Its public callables and properties, and the attributes that its methods set."""
    methods: dict[str, object] = {}
    attributes: set[str] = set()
    for each in node.body:
        if isinstance(each, ast.FunctionDef):
            attributes |= set_attributes(each)
            decorators = {ast.unparse(decorator) for decorator in each.decorator_list}
            if "overload" in decorators or any(decorator.endswith(".setter") for decorator in decorators):
                continue
            if not each.name.startswith("_") or each.name == "__init__":
                methods[each.name] = {"kind": kind_of(decorators), "parameters": parameters_of(each)}
        elif isinstance(each, ast.Assign):
            attributes |= {target.id for target in each.targets if isinstance(target, ast.Name)}
    return {"methods": methods, "attributes": sorted(name for name in attributes if not name.startswith("_"))}


def kind_of(decorators: set[str]) -> str:
    """What a method is."""
    if "staticmethod" in decorators:
        return "static"
    return "property" if decorators & {"property", "classproperty"} else "method"


def parameters_of(function: ast.FunctionDef) -> list[list[str | None]]:
    """[name, kind as in inspect.Parameter, default as source text or null] of each parameter."""
    spec = function.args
    both = [*spec.posonlyargs, *spec.args]
    defaults = [*[None] * (len(both) - len(spec.defaults)), *spec.defaults]
    kinds = ["POSITIONAL_ONLY"] * len(spec.posonlyargs) + ["POSITIONAL_OR_KEYWORD"] * len(spec.args)
    rows = [(arg.arg, kind, default) for arg, kind, default in zip(both, kinds, defaults, strict=True)]
    if spec.vararg:
        rows.append((spec.vararg.arg, "VAR_POSITIONAL", None))
    rows += [(arg.arg, "KEYWORD_ONLY", default) for arg, default in zip(spec.kwonlyargs, spec.kw_defaults, strict=True)]
    if spec.kwarg:
        rows.append((spec.kwarg.arg, "VAR_KEYWORD", None))
    return [[name, kind, None if default is None else ast.unparse(default)] for name, kind, default in rows]


def set_attributes(function: ast.FunctionDef) -> set[str]:
    """The names after `self.` that the function assigns to."""
    return {
        node.attr
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    }


if __name__ == "__main__":
    description = described(Path(sys.argv[1]))
    text = json.dumps(description, indent=1)
    # One line for each method.
    text = re.sub(r"\n {5,}(?=[^ ])|\n {4}(?=[\]}])", " ", text)
    text = re.sub(r"(?<=[\[{]) | (?=[\]}])", "", text)
    assert json.loads(text) == description
    (HERE / "picamera2_api.json").write_text(text + "\n", encoding="utf-8")
