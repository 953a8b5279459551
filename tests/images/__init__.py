"""The project's images as files, built with Docker, or as root with buildah and no registry. Standard library only.

    python -m tests.images (__main__) -> store: an archive per content in the cache, one build at a time
        recipe      which files an image is made of -> its key, name and build context
        builders    Docker, or buildah with a base image of its own (base: Debian packages)

    from tests.images import ensure
    ensure("operator") -> Image(name="localhost/deepseekserve/operator:0123456789ab", archive=Path(...))
"""

from tests.images.store import Image, ensure

__all__ = ["Image", "ensure"]
