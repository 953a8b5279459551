"""Turns an image that the kubelet cannot get into a finding: a wrong name, no permission, no way there, no room.

Pure; one of the later checks of diagnose. The wordings are those of the kubelet, of containerd and of registries.
"""

import re
from typing import NamedTuple

from deepseekserve import names
from deepseekserve.agent.reasons import Reason
from deepseekserve.diagnose.containers import called, waits
from deepseekserve.facts import Facts, Finding

BACK_OFF = "ImagePullBackOff"           # stands for a cause where Kubernetes tells none

_REASONS = frozenset({
    "ErrImagePull", BACK_OFF, "InvalidImageName", "ErrImageNeverPull", "ImageInspectError",
    "RegistryUnavailable", "SignatureValidationFailed",
})
# Other words while it waits.
_BACK_OFF = re.compile(rf'^Back-off pulling image "[^"]*"(?:: ?(?:(?:{"|".join(_REASONS)}): )?)?')
_NAME = re.compile(r'"[^"\s]*"|[\w.:-]{2,}/\S+')          # of an image, an address or a file; not i/o


class _Cause(NamedTuple):
    pattern: str
    sentence: str
    remedy: str           # {field}: where the image is named


_LOGIN = "spec.podTemplate.spec.imagePullSecrets"
_AGAIN = "the kubelet tries again by itself."
# In this order: a text of a broken connection or a refusal may hold the words of those after it.
_CAUSES = (
    _Cause(r"invalid reference format|couldn't parse image", "its name is not one of an image",
           "Correct {field}: registry/repository:tag, in lower case and without https://."),
    _Cause(r"pull policy of Never", "it is not on the node, and nothing may be pulled",
           "Load the image into the node, or set engine.imagePullPolicy of the operator's chart to IfNotPresent."),
    _Cause(r"no space left on device", "the node's disk is full",
           f"Make room on the node's disk, or give it a larger one: an image for GPUs takes 20 GiB and more; {_AGAIN}"),
    _Cause(r"toomanyrequests|429 Too Many Requests", "the registry has had too many requests from this address",
           f"Wait, or log in: set {_LOGIN} to a Secret of an account with a higher limit, or set {{field}} to a "
           f"mirror of your own; {_AGAIN}"),
    _Cause(r"no match for platform|no matching manifest", "it is not made for the node's processor",
           "Set {field} to an image for it, or spec.scheduling.nodeSelector to nodes such as kubernetes.io/arch: "
           "amd64."),
    _Cause(r"does not exist or may require", "the registry has no such image, or does not show it to strangers",
           f"Correct {{field}}; for a private image set {_LOGIN} to a Secret of the registry."),
    _Cause(r"(?i)unauthorized|403 forbidden|access denied|is denied|authorization failed|no basic auth",
           "the registry wants another login",
           f"Set {_LOGIN} to a Secret with a login that may pull it; {_AGAIN}"),
    _Cause(r"x509|certificate", "the node does not trust the registry's certificate",
           f"Let an administrator add the registry's authority to the node, or correct {{field}}; {_AGAIN}"),
    _Cause(r"dial tcp|no such host|i/o timeout|connection re(?:fused|set)|TLS handshake|EOF|deadline exceeded|"
           r"registry is unavailable|50\d (?:Internal|Bad|Service|Gateway)", "the node cannot reach the registry",
           "Check the registry's name in {field}, and the node's DNS, proxy and firewall; in a cluster without "
           f"Internet set {{field}} to a mirror; {_AGAIN}"),
    _Cause(r"not found|manifest unknown|name unknown", "the registry has no such image",
           "Correct the repository or the tag in {field}."),
)
_OTHER = f"Correct {{field}}, or give the node access to its registry (for a private one, {_LOGIN}); {_AGAIN}"


def image_cannot_be_pulled(facts: Facts) -> Finding | None:
    """The kubelet cannot get the image of the engine or of a container beside it."""
    for pod, name, waiting in waits(facts, _REASONS):
        words = _BACK_OFF.sub("", waiting.message) or waiting.reason
        said = _NAME.sub("", words.replace(dict(pod.asks.images).get(name) or "", ""))
        cause = next((each for each in _CAUSES if re.search(each.pattern, said)), None)
        field = "spec.engine.image" if name == names.ENGINE_CONTAINER else "spec.podTemplate"
        why = f"{cause.sentence}: " if cause else ""
        return Finding(
            reason=Reason.IMAGE_PULL_FAILED,
            message=f"The kubelet cannot pull the image of {called(name)}: {why}{words}",
            remedy=(cause.remedy if cause else _OTHER).format(field=field),
            pod=pod.name,
        )
    return None
