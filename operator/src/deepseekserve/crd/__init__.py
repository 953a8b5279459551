"""Turns the models of `api` into the CustomResourceDefinition, its YAML and the reference page.

Pure; beside the flow. `make crds` runs `python -m deepseekserve.crd --write .`; a test fails when the files are stale.
"""

from typing import Any

import yaml

from deepseekserve import names
from deepseekserve.api.group import Rule, Schema, with_rules
from deepseekserve.api.spec import Spec
from deepseekserve.api.status import NEVER_OBSERVED, Status
from deepseekserve.crd.columns import COLUMNS
from deepseekserve.crd.schema import schema_of

HEADER = "# Generated from operator/src/deepseekserve/api by `make crds`; do not edit.\n"
NAME = Rule(
    "self.metadata.name.matches('^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$')",
    "metadata.name: choose a name of at most 63 lower-case letters, digits and '-' that begins with a letter and ends "
    "with a letter or digit, because a Service of the same name is made",
)
_KIND = {
    "apiVersion": "Version of this form of the resource: deepseekserve.io/v1alpha1.",
    "kind": "Kind of the resource: DeepSeekServe.",
}


def definition() -> dict[str, Any]:
    """Build the CustomResourceDefinition."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names.PLURAL}.{names.GROUP}"},
        "spec": {
            "group": names.GROUP,
            "names": {
                "kind": names.KIND,
                "listKind": f"{names.KIND}List",
                "plural": names.PLURAL,
                "singular": names.SINGULAR,
                "shortNames": [names.SHORT_NAME],
            },
            "scope": "Namespaced",
            "versions": [{
                "name": names.VERSION,
                "served": True,
                "storage": True,
                "additionalPrinterColumns": [column.schema() for column in COLUMNS],
                "subresources": {
                    "status": {},
                    "scale": {
                        "specReplicasPath": ".spec.replicas",
                        "statusReplicasPath": ".status.replicas",
                        "labelSelectorPath": ".status.selector",
                    },
                },
                "schema": {"openAPIV3Schema": root()},
            }],
        },
    }


def root() -> Schema:
    """Build the schema of the whole resource.

    kstatus takes an object without status for ready, so the status begins with a generation that never was.
    """
    properties = {
        **{field: {"description": text, "type": "string"} for field, text in _KIND.items()},
        "metadata": {"type": "object"},
        "spec": schema_of(Spec),
        "status": {**schema_of(Status, with_defaults=False), "default": {"observedGeneration": NEVER_OBSERVED}},
    }
    text = "A DeepSeek model that is served by vLLM, and how far that has come."
    return with_rules({"description": text, "type": "object", "required": ["spec"], "properties": properties}, NAME)


def to_yaml() -> str:
    """Write the definition as YAML, the same at each call."""
    return HEADER + yaml.dump(definition(), Dumper=_Dumper, sort_keys=False, width=118, allow_unicode=True)


class _Dumper(yaml.SafeDumper):
    """Anchors off: two equal parts are written twice, as every reader expects."""

    def ignore_aliases(self, _data: object) -> bool:
        return True
