"""Turns a torch built for CUDA into one that loads without CUDA's libraries, 5 GB that a CPU never calls.

Runs once, while the image is built. The loader wants every library that torch names and every symbol that torch uses of
it, or `import torch` fails. So each library that is named and missing becomes a stub which defines just those symbols.
All of them return 999, in CUDA "unknown error", so that a call by mistake is an error and not a crash.
"""

import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ERROR_UNKNOWN = 999
DRIVER = "libcuda.so.1"  # comes with a GPU's driver, never with a package; torch loads what needs it only on a GPU

Symbols = dict[str, dict[str, set[str]]]  # library -> version -> names


def main() -> int:
    """Stub what the torch in this folder of packages (first argument) lacks; prints what was made."""
    torch = Path(sys.argv[1], "torch", "lib").resolve()
    libraries = sorted(torch.glob("*.so*"))
    wanted = missing(libraries, torch)
    for library, versions in sorted(wanted.items()):
        link(torch / library, versions)
        print(f"{library}: {sum(map(len, versions.values()))} symbols")
    return 0


def missing(libraries: list[Path], folder: Path) -> Symbols:
    """The libraries that `libraries` name and the loader cannot find, with the symbols wanted of each."""
    found: Symbols = {}
    absent = {name for one in libraries for name in needed(one) if not findable(name, one, folder)} - {DRIVER}
    for name in absent:
        found[name] = defaultdict(set)
    for library in libraries:
        for name, version, owner in imports(library):
            if owner in absent:
                found[owner][version].add(name)
    unversioned = {name for name in absent if not found[name]}
    defined = {name for library in libraries for name in exports(library)}
    for library in libraries:
        if candidates := [name for name in needed(library) if name in unversioned]:
            found[candidates[0]][""] |= plain_imports(library) - defined
    return found


def needed(library: Path) -> list[str]:
    """The libraries that one library names (DT_NEEDED)."""
    return re.findall(r"\(NEEDED\).*\[(.+)\]", readelf("--dynamic", library))


def findable(name: str, library: Path, folder: Path) -> bool:
    """Whether the loader finds `name` beside torch, on torch's own search path, or among the system's libraries."""
    path = re.search(r"\((?:RPATH|RUNPATH)\).*\[(.+)\]", readelf("--dynamic", library))
    folders = [Path(p.replace("$ORIGIN", str(library.parent))) for p in (path[1].split(":") if path else [])]
    system = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    return any((f / name).exists() for f in [*folders, folder]) or f"\t{name} " in system


def imports(library: Path) -> Iterator[tuple[str, str, str]]:
    """Each undefined versioned symbol of a library: its name, its version, and the library that should have it."""
    owner_of = dict(version_owners(library))
    for line in readelf("--dyn-syms", library).splitlines():
        if found := re.search(r" UND (\S+?)@(\S+) \((\d+)\)$", line):
            yield found[1], found[2], owner_of.get(int(found[3]), "")


def plain_imports(library: Path) -> set[str]:
    """The undefined C symbols without a version, Python's own left out; nothing says which library should have them."""
    symbols = re.findall(r" GLOBAL +DEFAULT +UND (\S+)$", readelf("--dyn-syms", library), re.MULTILINE)
    return {name for name in symbols if "@" not in name and not re.match(r"_Z|_?Py", name)}


def exports(library: Path) -> list[str]:
    """The symbols that a library defines for others."""
    return re.findall(r" DEFAULT +\d+ ([^\s@]+)", readelf("--dyn-syms", library))


def version_owners(library: Path) -> Iterator[tuple[int, str]]:
    """The number of each version that a library needs, and the library that defines it."""
    owner = ""
    for line in readelf("--version-info", library).splitlines():
        if found := re.search(r"File: (\S+)", line):
            owner = found[1]
        elif found := re.search(r"Name: \S+ .*Version: (\d+)", line):
            yield int(found[1]), owner


def readelf(what: str, library: Path) -> str:
    """What readelf says, one symbol a line, however long."""
    return subprocess.run(["readelf", "--wide", what, str(library)], capture_output=True, text=True, check=True).stdout


def link(target: Path, versions: dict[str, set[str]]) -> None:
    """Make one stub library with these symbols."""
    names = [name for version in sorted(versions) for name in sorted(versions[version])]
    labels = "".join(f".globl {n}\n.type {n},@function\n{n}:\n" for n in names)
    code = f'.text\n{labels}mov ${ERROR_UNKNOWN},%eax\nret\n.section .note.GNU-stack,"",@progbits\n'
    script = "".join(f"{v} {{ global: {'; '.join(sorted(versions[v]))}; }};\n" for v in sorted(versions) if v)
    with tempfile.TemporaryDirectory() as folder:
        source, map_ = Path(folder, "stub.s"), Path(folder, "stub.map")
        source.write_text(code)
        map_.write_text(script)
        by_version = [f"-Wl,--version-script={map_}"] if script else []
        flags = ["-shared", "-nostdlib", f"-Wl,-soname,{target.name}", *by_version]
        subprocess.run(["gcc", *flags, "-o", target, source], check=True)


if __name__ == "__main__":
    sys.exit(main())
