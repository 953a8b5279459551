"""Turns files of resources into verdicts on a terminal, without a cluster: `deepseekserve plan`.

    options     the command line
    documents   files -> resources, or what is wrong with them
    facts       a resource and the options -> what is known of its model and GPU
    report      a verdict -> the JSON that docs/plan.md describes
    text        that JSON -> a page for people, with a table, a bar and, on request, the formulas
    manifests   a resource -> what the operator would write

Reads files, and nothing else.
"""

from deepseekserve.plan.command import main

__all__ = ["main"]
