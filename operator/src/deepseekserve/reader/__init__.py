"""Turns the files of a model into a Summary: what sizing needs of them, in less than a termination message holds.

    folder      a folder -> the files in it, with bounds on everything
    headers     the header of a safetensors file -> bytes by number format
    checkpoint  files -> Summary, one way for folders and for the hub
    fields      config.json -> the fields that sizing and fits read
    summary     Summary -> message, and back
    saying      a Summary, written where its reader looks for it

`python -m deepseekserve.reader FOLDER --write FILE` runs in a pod of its own beside the weights, which it never reads;
standard library only, so that it starts at once. `hub` uses the same, with the hub's files.
"""
