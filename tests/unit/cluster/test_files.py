"""Archives, records, folders and locks: what lies on disk and survives a killed run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster import archive, paths, record
from tests.cluster.errors import ClusterError
from tests.cluster.lock import locked

ROOT = Path(__file__).parents[3]


def test_an_image_archive_is_the_same_bytes_for_the_same_program(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"static")
    for name in ("one.tar", "two.tar"):
        archive.write(tmp_path / name, "localhost/x:1", program)
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()


def test_an_image_archive_tells_its_images_by_content(tmp_path: Path) -> None:
    digests = []
    for content in (b"old", b"new"):
        (tmp_path / "program").write_bytes(content)
        archive.write(tmp_path / "image.tar", "localhost/x:1", tmp_path / "program")
        digests.append(archive.images(tmp_path / "image.tar")["localhost/x:1"])
    assert digests[0] != digests[1]
    assert all(len(d) == 64 for d in digests)


@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_a_file_that_is_no_image_archive_is_named(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "image.tar"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ClusterError, match=r"image\.tar: not an image archive"):
        archive.images(file)


def test_a_record_is_read_as_it_was_saved(tmp_path: Path) -> None:
    saved = record.Record("local", "198.19.0.0/30", gpus=2, kwok=True)
    saved.save(tmp_path)
    assert record.read(tmp_path) == saved


def test_without_a_record_there_is_none(tmp_path: Path) -> None:
    assert record.read(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"provider": "local", "colour": "blue"}'])
def test_a_damaged_record_says_how_to_go_on(tmp_path: Path, text: str) -> None:
    (tmp_path / record.FILE).write_text(text)
    with pytest.raises(ClusterError, match="`down` removes the cluster"):
        record.read(tmp_path)


def test_the_cache_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DSS_CACHE", raising=False)
    (tmp_path / "deepseekserve").mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert paths.cache() == tmp_path / "deepseekserve"
    monkeypatch.setenv("DSS_CACHE", "/own")
    assert paths.cache() == Path("/own")


def test_a_lock_leaves_no_file(tmp_path: Path) -> None:
    with locked(tmp_path / "lock", "something"):
        assert os.listdir(tmp_path) == ["lock"]
    assert os.listdir(tmp_path) == []


def test_a_second_process_waits_and_says_for_whom(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from tests.cluster.lock import locked\n"
        "with locked(Path(sys.argv[1]), 'something'): print('inside')"
    )
    with locked(tmp_path / "lock", "something"):
        second = subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path / "lock")], cwd=ROOT,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        assert second.stderr
        assert f"waiting: process {os.getpid()} is busy with something" in second.stderr.readline()
    assert second.communicate(timeout=30)[0] == "inside\n"


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from tests.cluster.lock import locked\n"
        "with locked(Path(sys.argv[1]), 'something'): print('inside', flush=True); input()"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "lock")]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout
        assert killed.stdout.readline() == "inside\n"
        killed.kill()
    with locked(tmp_path / "lock", "something"):
        pass
