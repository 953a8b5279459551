"""Turns the API server's refusals into exceptions that say what was refused; the whole tree is on this page.

    KubeError
        Unreachable        no answer at all, or not in time
        Refused            an answer with a code of 400 or above
            BadRequest  NotFound  AlreadyExists  Conflict  Gone  Invalid  TooManyRequests
            Forbidden
                NamespaceTerminating

Raised by `kube.client`; the work queue backs off on all of them, and honours `retry_after_s`.
"""

from collections.abc import Mapping
from typing import Any


class KubeError(Exception):
    """A request to the API server did not do what it was meant to do."""

    retry_after_s: float | None = None


class Unreachable(KubeError):
    """The API server gave no answer, or none within the time limit."""


class Refused(KubeError):
    """The API server answered with an error; `code` is the HTTP code, `reason` its machine-readable form."""

    def __init__(self, request: str, code: int, status: Mapping[str, Any]) -> None:
        self.code = code
        self.reason = str(status.get("reason") or "")
        self.message = str(status.get("message") or "")
        seconds = (status.get("details") or {}).get("retryAfterSeconds")
        self.retry_after_s = float(seconds) if seconds else None
        super().__init__(f"{request}: {code} {self.reason}: {self.message}")


class BadRequest(Refused):
    """The object has a field that its kind does not know, or one of another type (400; 500 from an apply)."""


class NotFound(Refused):
    """There is no such object (404)."""


class AlreadyExists(Refused):
    """A create found an object of that name (409)."""


class Conflict(Refused):
    """The object changed meanwhile, or is not the one that was meant (409)."""


class Forbidden(Refused):
    """Our ServiceAccount may not do this, or admission refused it (403)."""


class NamespaceTerminating(Forbidden):
    """Nothing can be made any more in a namespace that is being deleted (403)."""


class Gone(Refused):
    """The resource version or the continue token is too old (410)."""


class Invalid(Refused):
    """The object breaks its schema, or a test of a JSON patch failed (422)."""


class TooManyRequests(Refused):
    """The API server asks for patience (429)."""


def may_pass(error: KubeError) -> bool:
    """Tell whether the same request may work in a moment: no answer, a request for patience, an error of the server."""
    return isinstance(error, Unreachable | TooManyRequests) or (isinstance(error, Refused) and error.code >= 500)


_UNTYPED = "failed to create typed patch object"          # Kubernetes 1.34 calls it an internal error

_BY_CODE: Mapping[int, type[Refused]] = {
    400: BadRequest, 403: Forbidden, 404: NotFound, 409: Conflict, 410: Gone, 422: Invalid, 429: TooManyRequests,
}


def refusal(request: str, code: int, status: Mapping[str, Any]) -> Refused:
    """The exception for an answer; `status` is its body, a metav1.Status where the server sent one."""
    if code == 409 and status.get("reason") == "AlreadyExists":
        return AlreadyExists(request, code, status)
    if code == 500 and str(status.get("message")).startswith(_UNTYPED):
        return BadRequest(request, code, status)
    causes = (status.get("details") or {}).get("causes") or ()
    if code == 403 and any(cause.get("reason") == "NamespaceTerminating" for cause in causes):
        return NamespaceTerminating(request, code, status)
    return _BY_CODE.get(code, Refused)(request, code, status)
