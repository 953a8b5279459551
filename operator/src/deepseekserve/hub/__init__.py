"""Turns a repository of the Hugging Face hub into the Summary that the reader makes of a folder.

    bounds       the client's HTTP session: what it may read, and until when
    repository   a repository's files, through the client
    answers      the client's errors -> outcomes
    asking       the same, within seconds

I/O. The client is huggingface_hub's own; it takes a quarter of a second and 20 MiB to import, so only what asks a hub
imports this. Nothing is written to disk.
"""

from deepseekserve.hub.asking import read

__all__ = ["read"]
