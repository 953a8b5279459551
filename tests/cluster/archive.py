"""Images as files (docker-archive): writes the pause image without any registry, and reads what an archive holds."""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.cluster.errors import ClusterError

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def write(path: Path, name: str, program: Path) -> None:
    """Write an image that holds one static program, the same bytes for the same program."""
    layer = _tar({"program": program.read_bytes()}, mode=0o755)
    config = json.dumps({
        "architecture": _ARCHITECTURES.get(os.uname().machine, os.uname().machine),
        "os": "linux",
        "config": {"Entrypoint": ["/program"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
    scratch = path.with_suffix(f".{os.getpid()}")
    scratch.write_bytes(_tar({"layer.tar": layer, config_name: config, "manifest.json": manifest}, mode=0o644))
    scratch.rename(path)


def images(*paths: Path) -> dict[str, str]:
    """The images in archives: name with tag -> digest of its configuration, which decides its whole content."""
    return {tag: digest for path in paths for tag, digest in _images(path)}


def _images(path: Path) -> Iterator[tuple[str, str]]:
    try:
        with tarfile.open(path) as archive:
            member = archive.extractfile("manifest.json")
            assert member is not None
            manifest = json.load(member)
    except (OSError, KeyError, tarfile.TarError, ValueError) as error:
        raise ClusterError(f"{path}: not an image archive (docker-archive with a manifest.json): {error}") from error
    for image in manifest:
        yield from ((tag, Path(image["Config"]).stem) for tag in image.get("RepoTags") or ())


def _tar(files: Mapping[str, bytes], mode: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), mode
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()
