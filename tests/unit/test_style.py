"""The bounds of the style section: lengths, docstrings, names. A bound is raised by a decision record, not here."""

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SRC = ROOT / "operator" / "src" / "deepseekserve"
MODULES = sorted(SRC.rglob("*.py"))
FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "core", "base", "misc"}
FORBIDDEN_SUFFIXES = ("Manager", "Helper", "Util", "Utils", "Base")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, Function):
            yield node


def length(node: Function) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def lengths() -> list[int]:
    return sorted(length(f) for path in MODULES for f in functions(path))


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SRC)))
def test_no_module_is_longer_than_250_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 250


def test_the_median_module_has_150_lines_or_fewer() -> None:
    assert statistics.median(len(p.read_text().splitlines()) for p in MODULES) <= 150


def test_the_median_function_has_10_lines_or_fewer() -> None:
    assert statistics.median(lengths()) <= 10


def test_nine_functions_of_ten_have_35_lines_or_fewer() -> None:
    ordered = lengths()
    assert ordered[int(len(ordered) * 0.9)] <= 35


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SRC)))
def test_no_function_is_longer_than_60_lines(path: Path) -> None:
    assert [f.name for f in functions(path) if length(f) > 60] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SRC)))
def test_no_function_takes_more_than_5_parameters(path: Path) -> None:
    def parameters(f: Function) -> int:
        named = [a.arg for a in (*f.args.posonlyargs, *f.args.args, *f.args.kwonlyargs)]
        return len([a for a in named if a not in ("self", "cls")])

    assert [f.name for f in functions(path) if parameters(f) > 5] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SRC)))
def test_every_module_and_public_function_has_a_docstring_and_full_types(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), f"{path.name} has no docstring"
    public = [f for f in tree.body if isinstance(f, Function) and not f.name.startswith("_")]
    assert [f.name for f in public if not ast.get_docstring(f)] == []
    assert [f.name for f in functions(path) if f.returns is None and f.name != "__init__"] == []


def test_no_module_and_no_class_has_a_name_that_says_nothing() -> None:
    stems = {p.stem for p in MODULES} | {p.parent.name for p in MODULES}
    classes = {n.name for p in MODULES for n in ast.walk(ast.parse(p.read_text())) if isinstance(n, ast.ClassDef)}
    assert stems & FORBIDDEN_NAMES == set()
    assert [c for c in classes if c.endswith(FORBIDDEN_SUFFIXES)] == []


def test_the_operator_folder_never_shadows_the_standard_library() -> None:
    assert not (ROOT / "operator" / "__init__.py").exists()
