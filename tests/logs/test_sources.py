"""The walk over vLLM's own errors: it finds what is raised with a text, and asks the diagnosis for its name."""

from pathlib import Path

import pytest

from deepseekserve.agent.reasons import Reason
from tests.logs import sources

MODULE = '''
def check(size, limit, error):
    if size > limit:
        raise ValueError(
            f"Total number of attention heads ({size})"
            " must be divisible by tensor parallel size "
            f"({limit}).")
    assert size, "something that nobody knows"
    assert limit
    raise error
'''


def package(folder: Path, part: str) -> Path:
    (folder / part).mkdir(parents=True)
    (folder / part / "checks.py").write_text(MODULE)
    return folder


def test_errors_with_a_text_are_found_and_named(tmp_path: Path) -> None:
    found = {site.place: site.reason for site in sources.sites(package(tmp_path, "v1/worker"))}
    assert found == {"v1/worker/checks.py:4": Reason.TENSOR_PARALLEL_INDIVISIBLE, "v1/worker/checks.py:8": None}


def test_whatever_a_configuration_refuses_is_an_argument(tmp_path: Path) -> None:
    found = [site.reason for site in sources.sites(package(tmp_path, "config"))]
    assert found == [Reason.TENSOR_PARALLEL_INDIVISIBLE, Reason.INVALID_ARGUMENT]


def test_the_command_counts_and_lists(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sources.main([str(package(tmp_path, "v1/worker")), "--list"]) == 0
    said = capsys.readouterr().out
    assert "| `v1/worker` | 2 | 1 |" in said
    assert "v1/worker/checks.py:8\tAssertionError: something that nobody knows" in said


def test_another_folder_is_said_to_be_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sources.main([str(tmp_path)]) == 2
    assert "give the folder of the package itself" in capsys.readouterr().err
