"""The zipapp: the same bytes every time, small, and alive on nothing but a Python."""

import ast
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from deepseekserve import bundle
from tests.ports import free_port

MODULES = sorted(Path(bundle.__file__).parent.joinpath("agent").rglob("*.py"))
SOURCE = str(Path(bundle.__file__).parents[1])
PYTHON = [sys.executable, "-I", "-S"]      # no site-packages, no environment: the standard library alone


@pytest.fixture(scope="module")
def zipapp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("zipapp") / "agent.pyz"
    path.write_bytes(bundle.build().data)
    return path


def names() -> list[str]:
    return zipfile.ZipFile(io.BytesIO(bundle.build().data)).namelist()


def test_it_stays_below_100_kibibytes() -> None:
    assert len(bundle.build().data) < 100 * 1024


def test_two_builds_are_the_same_bytes() -> None:
    code = "import sys; from deepseekserve import bundle; sys.stdout.buffer.write(bundle.build().data)"
    again = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env={"PYTHONPATH": SOURCE})
    assert again.stdout == bundle.build().data


def test_it_holds_the_agent_and_nothing_else() -> None:
    assert {"__main__.py", "deepseekserve/__init__.py", "deepseekserve/agent/guard.py"} <= set(names())
    others = [n for n in names() if not n.startswith("deepseekserve/agent/")]
    assert others == ["__main__.py", "deepseekserve/__init__.py"]
    assert [n for n in names() if not n.endswith(".py")] == []


def test_the_hash_moves_with_names_and_contents_only() -> None:
    one = bundle.digest({"a": b"1", "b": b"2"})
    assert one == bundle.digest({"b": b"2", "a": b"1"})
    assert len({one, bundle.digest({"a": b"12", "b": b""}), bundle.digest({"ab": b"1", "b": b"2"}),
                bundle.digest({"a": b"1"})}) == 4
    assert len(bundle.build().hash) == 10


STOPPED_EARLY = """
import os, runpy, signal, sys

class Stop:
    def find_spec(self, name, *_):
        if name == "deepseekserve.agent.main":
            os.kill(os.getpid(), signal.SIGTERM)

sys.meta_path.insert(0, Stop())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_a_stop_that_comes_while_it_is_being_imported_is_obeyed(zipapp: Path, tmp_path: Path) -> None:
    options = ["--model", "m", "--port", str(free_port()), "--termination-log", str(tmp_path / "message")]
    command = [*PYTHON, "-c", STOPPED_EARLY, str(zipapp), *options, "--", "sleep", "60"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")


def test_it_runs_with_the_standard_library_alone(zipapp: Path, tmp_path: Path) -> None:
    message = tmp_path / "message"
    options = ["--model", "m", "--port", str(free_port()), "--termination-log", str(message)]
    command = [*PYTHON, str(zipapp), *options, "--", "sh", "-c", "echo hi; exit 7"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (7, "hi\n")
    assert '"schema":1' in message.read_text()


def test_it_says_how_it_is_used(zipapp: Path) -> None:
    done = subprocess.run([*PYTHON, str(zipapp), "--help"], capture_output=True, text=True, check=True)
    assert "--model NAME [options] -- COMMAND" in done.stdout


def test_the_guard_is_imported_from_it_without_the_rest(zipapp: Path) -> None:
    code = ("import sys; sys.path.append(sys.argv[1]); from deepseekserve.agent.guard import Guard; "
            "print(Guard.__name__, sorted(m for m in sys.modules if m.startswith('deepseekserve')))")
    done = subprocess.run([*PYTHON, "-c", code, str(zipapp)], capture_output=True, text=True, check=True)
    assert done.stdout == "Guard ['deepseekserve', 'deepseekserve.agent', 'deepseekserve.agent.guard']\n"


def test_every_module_in_it_can_be_imported_by_itself(zipapp: Path) -> None:
    modules = [n.removesuffix(".py").replace("/", ".") for n in names() if n.startswith("deepseekserve/agent/")]
    code = "import sys, importlib; sys.path.insert(0, sys.argv[1]); [importlib.import_module(m) for m in sys.argv[2:]]"
    wanted = [m for m in modules if not m.endswith(("__init__", "__main__"))]
    subprocess.run([*PYTHON, "-c", code, str(zipapp), *wanted], check=True)


def test_docstrings_and_comments_stay_out_and_every_line_keeps_its_number() -> None:
    source = '''"""About."""
# why
X = "# not a comment"  # but this

class Empty(Exception):
    """Only this."""


def f() -> str:
    """Two
    lines."""
    return """not a
docstring # nor a comment"""
'''
    stripped = bundle.strip(source.encode()).decode()
    assert stripped.splitlines() == [
        "", "", 'X = "# not a comment"', "", "class Empty(Exception):", '    """Only this."""', "", "",
        "def f() -> str:", "", "", '    return """not a', 'docstring # nor a comment"""',
    ]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_a_stripped_module_is_the_same_program(path: Path) -> None:
    source = path.read_bytes()
    assert _program(bundle.strip(source)) == _program(source)


def _program(source: bytes) -> str:
    """The syntax tree with its line numbers, without docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and len(body) > 1 and _is_text(body[0]):
            del body[0]
    return ast.dump(tree, include_attributes=True)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
