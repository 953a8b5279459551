"""Turns a resource into what its status depends on: who it is, what it asks for, and which revision that means.

Pure; part of status. Made from the typed resource, or from the last status when the spec cannot be used.
"""

from dataclasses import dataclass

from deepseekserve import names


@dataclass(frozen=True)
class Subject:
    """What is asked for, at one generation of the spec."""

    name: str
    namespace: str
    generation: int
    replicas: int                 # asked for; 0 while suspended
    revision: str                 # name of the current ControllerRevision; empty while there is none
    model: str                    # the name that clients ask for

    @property
    def suspended(self) -> bool:
        """Nothing shall run."""
        return self.replicas == 0

    @property
    def revision_hash(self) -> str:
        """The current revision as pods carry it in a label."""
        return self.revision.removeprefix(names.revision_name(self.name, ""))
