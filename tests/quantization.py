"""Turns the classes of an installed vLLM into catalog/quantization.json: each method, its dtypes, its least GPU.

Beside it values.json: what some flags can be given, by the engine's own registries.

    python -m tests.quantization FOLDER-OF-THE-PACKAGE       (`make quantization` finds it in the built image)

The classes are read, never imported: they need torch and a GPU.
"""

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.cluster import paths

CATALOG = Path(__file__).parents[1] / "operator" / "src" / "deepseekserve" / "catalog"
TABLE, VALUES = CATALOG / "quantization.json", CATALOG / "values.json"
# Flag -> the module and the dictionary that its values are the keys of.
REGISTRIES = {
    "--load-format": ("model_executor/model_loader/__init__.py", "_LOAD_FORMAT_TO_MODEL_LOADER"),
    "--reasoning-parser": ("reasoning/__init__.py", "_REASONING_PARSERS_TO_REGISTER"),
    "--tool-call-parser": ("tool_parsers/__init__.py", "_TOOL_PARSERS_TO_REGISTER"),
}
# torch's names -> those of --dtype; what is not among them is no number format to compute in.
DTYPES = {"half": "float16", "float16": "float16", "bfloat16": "bfloat16", "float32": "float32"}


def installed() -> Path | None:
    """The vLLM of the CPU engine's image, when `make images` has built one here."""
    layers = (paths.cache() / "images" / "storage" / "overlay").glob("*/diff/opt/vllm/lib/python3*/site-packages/vllm")
    return next(iter(sorted(layers)), None)


def table(package: Path) -> dict[str, Any]:
    """What vLLM says of each method that `--quantization` takes."""
    folder = package / "model_executor" / "layers" / "quantization"
    init = ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))
    classes = {node.name: node for path in sorted(folder.rglob("*.py"))
               for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.ClassDef)}
    shorthands = [str(key.value) for key in _dictionary(package / "config" / "quantization.py", "_ONLINE_SHORTHANDS")]
    online = [name for name in shorthands if name not in _checkpoint_methods(init)]
    named = _checkpoint_methods(init) | dict.fromkeys(online, "OnlineQuantizationConfig")
    version = next(package.parent.glob("vllm-*.dist-info")).name.split("-")[1].partition("+")[0]
    methods = [_row(name, named[name], classes) | {"online": name in shorthands} for name in sorted(named)
               if named[name] in classes]
    return {"engine": version, "methods": methods}


def text(package: Path) -> str:
    """The table as it is committed: one method per line."""
    found = table(package)
    rows = ",\n".join(json.dumps(row) for row in found["methods"])
    return f'{{"engine": "{found["engine"]}", "methods": [\n{rows}\n]}}\n'


def values(package: Path) -> str:
    """Another table: the values of each flag in one line."""
    rows = {flag: sorted(str(key.value) for key in _dictionary(package / module, name))
            for flag, (module, name) in REGISTRIES.items()}
    return "{\n" + ",\n".join(f"{json.dumps(flag)}: {json.dumps(row)}" for flag, row in rows.items()) + "\n}\n"


def _row(name: str, config: str, classes: dict[str, ast.ClassDef]) -> dict[str, Any]:
    methods = dict(_methods(config, classes))
    dtypes = [DTYPES[node.attr] for node in ast.walk(methods["get_supported_act_dtypes"])
              if isinstance(node, ast.Attribute) and node.attr in DTYPES]
    return {
        "method": name, "config": config, "dtypes": dtypes,
        "leastCapability": _constants(methods["get_min_capability"], int)[0],
        "files": _constants(methods["get_config_filenames"], str),
    }


def _methods(config: str, classes: dict[str, ast.ClassDef]) -> Iterator[tuple[str, ast.FunctionDef]]:
    """The methods of a class after those that it inherits, so that its own win."""
    for base in classes[config].bases:
        if isinstance(base, ast.Name) and base.id in classes:
            yield from _methods(base.id, classes)
    yield from ((node.name, node) for node in classes[config].body if isinstance(node, ast.FunctionDef))


def _constants(method: ast.FunctionDef, kind: type) -> list[Any]:
    returned = [node.value for node in ast.walk(method) if isinstance(node, ast.Return) and node.value]
    return [node.value for value in returned for node in ast.walk(value)
            if isinstance(node, ast.Constant) and type(node.value) is kind]


def _checkpoint_methods(init: ast.Module) -> dict[str, str]:
    """Method -> its class, as get_quantization_config maps them."""
    for node in ast.walk(init):
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "method_to_config":
            assert isinstance(node.value, ast.Dict)
            return {key.value: value.id for key, value in zip(node.value.keys, node.value.values, strict=True)
                    if isinstance(key, ast.Constant) and isinstance(key.value, str) and isinstance(value, ast.Name)}
    raise LookupError("vLLM has no method_to_config any more: read its quantization/__init__.py")


def _dictionary(path: Path, name: str) -> list[ast.Constant]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0] if isinstance(
            node, ast.Assign) else None
        if isinstance(node, ast.AnnAssign | ast.Assign) and getattr(target, "id", "") == name:
            assert isinstance(node.value, ast.Dict)
            return [key for key in node.value.keys if isinstance(key, ast.Constant)]
    raise LookupError(f"vLLM has no {name} any more: read its {path.name}")


if __name__ == "__main__":
    package = Path(sys.argv[1]) if len(sys.argv) > 1 else installed()
    if package is None:
        sys.exit("no vLLM found: run `make images`, or name the folder of an installed one")
    TABLE.write_text(text(package), encoding="utf-8")
    VALUES.write_text(values(package), encoding="utf-8")
