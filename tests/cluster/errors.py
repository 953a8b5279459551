"""The errors that a person can act on: their text is the whole message that the command line prints."""


class ClusterError(Exception):
    """Something went wrong; the message says what and where to look (exit code 1)."""


class Missing(ClusterError):
    """The machine lacks something; the message says what, and how to get it (exit code 2)."""
