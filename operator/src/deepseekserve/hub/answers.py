"""Turns what huggingface_hub raises into an outcome and a sentence.

Used by `repository`. The hub answers 401 for what is private and for what does not exist, so that nobody can tell.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
from huggingface_hub.errors import (
    DisabledRepoError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    SafetensorsParsingError,
)

from deepseekserve.reader.summary import Outcome, Unreadable, sentence

_LOGIN = re.compile("//[^/]*@")
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404
_NOBODYS = "Invalid credentials"


def shown(endpoint: str) -> str:
    """An endpoint as sentences may have it: without the password that an address can hold."""
    return _LOGIN.sub("//", endpoint.rstrip("/"))


@contextmanager
def outcomes(endpoint: str, repository: str, revision: str | None, what: str) -> Iterator[None]:
    """Raise Unreadable for everything that a hub, or something that is none, can answer to a question for `what`."""
    try:
        yield
    except HfHubHTTPError as error:
        raise _about(endpoint, repository, revision, error) or _refused(
            endpoint, what, error, Outcome.NO_SUCH_MODEL if what == repository else Outcome.MISSING_FILES) from error
    except HFValidationError as error:
        raise Unreadable(Outcome.NO_SUCH_MODEL, f"{repository} is no name of a repository") from error
    except SafetensorsParsingError as error:
        raise Unreadable(Outcome.DAMAGED, f"the header of {what} is damaged") from error
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise Unreadable(Outcome.UNREACHABLE, f"{endpoint} does not answer: {_why(error)}") from error
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise Unreadable(Outcome.DAMAGED, f"what {endpoint} answers for {what} is not a hub's") from error


def _about(endpoint: str, repository: str, revision: str | None, error: HfHubHTTPError) -> Unreadable | None:
    """What the hub says of the repository, if it does; one that is gated is a kind of one that is not found."""
    if isinstance(error, GatedRepoError):
        return Unreadable(Outcome.ACCESS_DENIED, f"{repository} is gated, and {_who(error)}")
    if isinstance(error, RepositoryNotFoundError):
        return Unreadable(
            Outcome.NO_SUCH_MODEL, f"{endpoint} has no {repository}, or it is private, and {_who(error)}")
    if isinstance(error, RevisionNotFoundError):
        return Unreadable(Outcome.NO_SUCH_REVISION, f"{repository} has no revision {revision}")
    if isinstance(error, DisabledRepoError):
        return Unreadable(Outcome.ACCESS_DENIED, f"{repository} has been disabled by {endpoint}")
    return None


def _refused(endpoint: str, what: str, error: HfHubHTTPError, absent: Outcome) -> Unreadable:
    status = error.response.status_code
    if status == _UNAUTHORIZED and _NOBODYS not in (error.server_message or ""):
        return Unreadable(Outcome.NO_SUCH_MODEL, f"{endpoint} has no {what}, or it is private, and {_who(error)}")
    if status in (_UNAUTHORIZED, _FORBIDDEN):
        return Unreadable(Outcome.ACCESS_DENIED, f"{endpoint} denies access to {what}: {status}")
    if status == _NOT_FOUND:
        return Unreadable(absent, f"{endpoint} has no {what}")
    return Unreadable(Outcome.UNREACHABLE, f"{endpoint} answers {status} for {what}")


def _who(error: HfHubHTTPError) -> str:
    has_token = "authorization" in error.response.request.headers
    return "the token has no access to it" if has_token else "no token is given"


def _why(error: Exception) -> str:
    if isinstance(error, httpx2.TimeoutException):
        return "it takes too long"
    return sentence(str(error)) or type(error).__name__
