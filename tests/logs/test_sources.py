"""The walk over vLLM's own errors: it finds what is raised with a text, and asks the diagnosis for its name."""

from pathlib import Path

import pytest

from deepseekserve.agent.reasons import Reason
from tests.cluster import paths
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
    (folder / "_version.py").write_text("__version__ = version = '0.99.1'")
    return folder


def test_errors_with_a_text_are_found_and_named(tmp_path: Path) -> None:
    found = {site.place: site.reason for site in sources.sites(package(tmp_path, "v1/worker"))}
    assert found == {"v1/worker/checks.py:4": Reason.TENSOR_PARALLEL_INDIVISIBLE, "v1/worker/checks.py:8": None}


def test_an_error_is_known_by_the_function_that_raises_it_too(tmp_path: Path) -> None:
    (site, _) = sources.sites(package(tmp_path, "v1/worker"))
    assert site.function == "check"


def test_whatever_a_configuration_refuses_is_an_argument(tmp_path: Path) -> None:
    found = [site.reason for site in sources.sites(package(tmp_path, "config"))]
    assert found == [Reason.TENSOR_PARALLEL_INDIVISIBLE, Reason.INVALID_ARGUMENT]


def test_what_no_start_raises_is_left_out(tmp_path: Path) -> None:
    assert list(sources.sites(package(tmp_path, "model_executor/model_loader/weight_cache"))) == []


def test_the_command_counts_and_lists(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sources.main([str(package(tmp_path, "v1/worker"))]) == 0
    assert "0.99.1\tworker start\t2\t1\n" in capsys.readouterr().out
    assert sources.main([str(tmp_path), "--list"]) == 0
    assert capsys.readouterr().out == "v1/worker/checks.py:8\tcheck\tAssertionError: something that nobody knows\n"


def test_a_release_takes_its_place_in_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "TABLE", tmp_path / "table.tsv")
    sources.TABLE.write_text("head\n0.100.0\tconfig\t3\t2\n0.99.1\tconfig\t9\t9\n")
    assert sources.main([str(package(tmp_path, "config")), "--table"]) == 0
    rows = [row for row in sources.table() if row.part == "config"]
    assert rows == [("0.99.1", "config", 2, 2), ("0.100.0", "config", 3, 2)]


def test_another_folder_is_said_to_be_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sources.main([str(tmp_path)]) == 2
    assert "give the folder of the package itself" in capsys.readouterr().err


def test_the_table_has_every_part_of_every_release() -> None:
    rows = sources.table()
    assert all(0 <= row.named <= row.raised for row in rows)
    for release in {row.version for row in rows}:
        assert [row.part for row in rows if row.version == release] == list(sources.PARTS)


def test_no_signature_has_lost_what_the_table_says_of_the_engines_image() -> None:
    storage = paths.cache() / "images" / "storage" / "overlay"
    packages = {sources.version(path): path for path in storage.glob("*/diff/opt/vllm/lib/python3*/site-packages/vllm")}
    known = [release for release in {row.version for row in sources.table()} if release in packages]
    if not known:
        pytest.skip("the engine's image is not built here: make images")
    for release in known:
        recorded = [row for row in sources.table() if row.version == release]
        for now, then in zip(sources.count(packages[release]), recorded, strict=True):
            assert now[:3] == then[:3]
            assert now.named >= then.named, now
