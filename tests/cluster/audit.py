"""An API server's audit log: who asked it for what, when, and with which answer; every request at the level Metadata.

    with ControlPlane(flags=audit.flags(folder)) as running:
        ...
        for record in audit.read(folder):
            if record.mutates and record.credential == audit.credential(token): ...

`folder` outlives the control plane, and so does the log. A record is written when its answer is complete, a watch's
therefore at its end. Two processes with one service account are told apart by their tokens: `credential`.
"""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules: [{level: Metadata}]
"""
CREDENTIAL = "authentication.kubernetes.io/credential-id"
MUTATING = frozenset({"create", "update", "patch", "delete", "deletecollection"})


@dataclass(frozen=True)
class Record:
    """One request and its answer."""

    at: float                 # when the request came in; seconds of the wall clock
    answered: float           # when its answer was complete
    user: str
    credential: str           # JTI=..., the id of a token, or X509SHA256=..., that of a certificate
    agent: str                # User-Agent
    verb: str
    resource: str             # plural, with the subresource: deepseekserves/status
    namespace: str
    name: str
    code: int

    @property
    def mutates(self) -> bool:
        """Tell whether the request asked for a change."""
        return self.verb in MUTATING


def flags(folder: Path) -> list[str]:
    """Flags of an API server that logs into `folder`; writes the policy there."""
    (folder / "audit-policy.yaml").write_text(POLICY)
    # By itself it would begin a new file after 100 MB.
    return [
        f"--audit-policy-file={folder}/audit-policy.yaml", f"--audit-log-path={_log(folder)}",
        "--audit-log-maxsize=100000",
    ]


def read(folder: Path) -> Iterator[Record]:
    """All records so far, in the order of the answers; a line that a killed API server has torn is left out."""
    with _log(folder).open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                yield _record(json.loads(line))
            except json.JSONDecodeError:
                continue


def credential(token: str) -> str:
    """What records call the credential of a request that came with this service account token."""
    claims = token.split(".")[1]
    decoded = base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4))
    return f"JTI={json.loads(decoded)['jti']}"


def _log(folder: Path) -> Path:
    return folder / "audit.log"


def _record(raw: dict[str, Any]) -> Record:
    what, user = raw.get("objectRef") or {}, raw.get("user") or {}
    parts = (what.get("resource") or "", what.get("subresource") or "")
    ids = (user.get("extra") or {}).get(CREDENTIAL) or [""]
    return Record(
        at=_seconds(raw["requestReceivedTimestamp"]),
        answered=_seconds(raw["stageTimestamp"]),
        user=user.get("username") or "",
        credential=ids[0],
        agent=raw.get("userAgent") or "",
        verb=raw["verb"],
        resource="/".join(part for part in parts if part),
        namespace=what.get("namespace") or "",
        name=what.get("name") or "",
        code=(raw.get("responseStatus") or {}).get("code") or 0,
    )


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
