"""Turns a folder into a Place: the files of a checkpoint, of which nothing can hang the reader or fill its memory.

The only module of the reader that touches a file system, which it never writes on.
"""

import hashlib
import os
import stat
from collections.abc import Collection, Mapping
from errno import EACCES, ELOOP, ENOENT, ENOTDIR, EPERM

from deepseekserve.reader import checkpoint, headers
from deepseekserve.reader.summary import Outcome, Summary, Unreadable

MOST_ENTRIES = 10_000
_MOST_LOOKED_INTO = 50
_KEY_CHARACTERS = 40
_OUTCOMES = {ENOENT: Outcome.NO_FOLDER, ENOTDIR: Outcome.NO_FOLDER, EACCES: Outcome.ACCESS_DENIED,
             EPERM: Outcome.ACCESS_DENIED}


def read(folder: str) -> Summary:
    """Summarise the checkpoint in a folder; whatever is wrong with it is an outcome."""
    try:
        return checkpoint.summarise(Folder(folder))
    except Unreadable as error:
        return Summary(error.outcome, str(error))
    except MemoryError:
        return Summary(Outcome.TOO_LARGE, "one of the files takes more memory than the reader may have")


class Folder:
    """A folder of a file system; links are followed, as the hub's cache has them. Raises Unreadable."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.names: Collection[str] = self._list("")
        found = {name: self._stat(name) for name in self.names}
        files = {name: status for name, status in found.items() if status and stat.S_ISREG(status.st_mode)}
        self.sizes: Mapping[str, int] = {name: status.st_size for name, status in files.items()}
        self.key = _key(files)

    def read(self, name: str, most: int) -> bytes:
        """A file's content."""
        with _Opened(self._at(name), name) as file:
            if file.size > most:
                raise Unreadable(Outcome.TOO_LARGE, f"{name} has {file.size} bytes: that is none of a model")
            return file.take(file.size)

    def tensors(self, names: Collection[str]) -> Mapping[str, int]:
        """Bytes by number format, from the headers alone."""
        total: dict[str, int] = {}
        for name in names:
            with _Opened(self._at(name), name) as file:
                size = headers.length(name, file.take(headers.PREFIX_BYTES))
                header = checkpoint.parse(f"the header of {name}", file.take(size))
            headers.add(name, header, file.size - headers.PREFIX_BYTES - size, total)
        return total

    def elsewhere(self) -> Collection[str]:
        """Folders below with a config.json, among them those of the hub's cache."""
        tried = [name for name in sorted(self.names) if name not in self.sizes][:_MOST_LOOKED_INTO]
        below = [f"snapshots/{name}" for name in self._peek("snapshots")][:_MOST_LOOKED_INTO]
        return [name for name in (*tried, *below) if os.path.isfile(os.path.join(self._at(name), checkpoint.CONFIG))]

    def _peek(self, name: str) -> Collection[str]:
        try:
            return self._list(name) if name in self.names else ()
        except Unreadable:
            return ()

    def _list(self, below: str) -> Collection[str]:
        found: list[str] = []
        try:
            with os.scandir(self._at(below)) as entries:
                for entry in entries:
                    if len(found) == MOST_ENTRIES:
                        raise Unreadable(Outcome.TOO_LARGE, f"more than {MOST_ENTRIES} files are no model's folder")
                    found.append(entry.name)
        except OSError as error:
            raise _unreadable("the folder", error) from error
        return sorted(found)

    def _stat(self, name: str) -> os.stat_result | None:
        try:
            return os.stat(self._at(name))
        except OSError:
            return None                # told by `read`, should the file matter

    def _at(self, name: str) -> str:
        return os.path.join(self._path, name)


class _Opened:
    """An open file that is one: pipes and devices are not opened."""

    def __init__(self, path: str, name: str) -> None:
        self._name = name
        try:
            if not stat.S_ISREG(os.stat(path).st_mode):
                raise Unreadable(Outcome.UNREADABLE, f"{name} is no file")
            self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            self.size = os.fstat(self._descriptor).st_size
        except OSError as error:
            raise _unreadable(name, error) from error

    def __enter__(self) -> "_Opened":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def take(self, count: int) -> bytes:
        """The next bytes, fewer at the end of the file."""
        parts, left = [], count
        try:
            while left and (part := os.read(self._descriptor, left)):
                parts.append(part)
                left -= len(part)
        except OSError as error:
            raise _unreadable(self._name, error) from error
        return b"".join(parts)


def _unreadable(name: str, error: OSError) -> Unreadable:
    """In the words of the file system, with what a link may hide."""
    number = error.errno or 0
    is_link = name != "the folder" and number == ENOENT
    outcome = Outcome.MISSING_FILES if is_link else _OUTCOMES.get(number, Outcome.UNREADABLE)
    why = "it is a link to itself" if number == ELOOP else "it is a link to nothing" if is_link else os.strerror(number)
    return Unreadable(outcome, f"{name} cannot be read: {why}")


def _key(files: Mapping[str, os.stat_result]) -> str:
    """Of names, sizes and times of change; files that begin with a dot are others' notes."""
    total = hashlib.sha256()
    for name, status in sorted(files.items()):
        if not name.startswith("."):
            line = f"{len(name)}:{name}:{status.st_size}:{status.st_mtime_ns};"
            total.update(line.encode("utf-8", "surrogateescape"))
    return total.hexdigest()[:_KEY_CHARACTERS]
