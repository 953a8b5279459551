"""Builds the project's images, each once per content: with Docker if a daemon answers, else as root with buildah."""

import argparse
import sys
from collections.abc import Sequence

from tests.cluster.errors import ClusterError, Missing
from tests.images.recipe import RECIPES
from tests.images.store import ensure, find


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; exit code 0 when it was done, 1 when it failed, 2 when the machine lacks something."""
    options = parse(arguments)
    names = list(RECIPES) if options.image == "all" else [options.image]
    try:
        for name in names:
            show(options.command, name)
    except ClusterError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, Missing) else 1
    return 0


def show(command: str, name: str) -> None:
    """Print the answer of one command for one image."""
    if command == "build":
        image = ensure(name)
        print(image.name, image.archive, flush=True)
    else:
        image = find(RECIPES[name])
        print(image.name if command == "name" else image.archive)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python3 -m tests.images", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command, text in (
        ("build", "build what is missing; print the name and the archive of each image"),
        ("name", "print the image's name, as manifests use it"),
        ("archive", "print where its archive is, or would be"),
    ):
        below = commands.add_parser(command, help=text, description=text)
        images = [*RECIPES, "all"]
        below.add_argument("image", choices=images, nargs="?", default="all", help="which one (default: all)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
