"""What `kubectl get dss` shows, in its order; `-o wide` adds those of priority 1.

Pure; a part of the CRD. All but GPUS and AGE come from the status, so that a column never says what is not so.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One column: its head, where its value stands, and what it means."""

    name: str
    path: str
    description: str
    type: str = "string"
    priority: int = 0

    def schema(self) -> dict[str, str | int]:
        """One item of additionalPrinterColumns."""
        column: dict[str, str | int] = {
            "name": self.name, "type": self.type, "jsonPath": self.path, "description": self.description}
        return {**column, "priority": self.priority} if self.priority else column


COLUMNS = (
    Column("Model", ".status.model", "Name under which clients ask for the model."),
    Column("Ready", '.status.conditions[?(@.type=="Ready")].status', "Whether the model answers."),
    Column("Phase", ".status.phase", "Where the resource stands."),
    Column("Progress", ".status.startup.percent", "Roughly how many percent of a start are done.", type="integer"),
    Column("Reason", ".status.failure.reason", "Why the current revision does not serve."),
    Column("Context", ".status.engine.maxModelLen", "Longest context in use, in tokens.", type="integer"),
    Column("Quant", ".status.engine.quantization", "How the weights are quantized in memory, or None."),
    Column("URL", ".status.url", "Base URL for OpenAI clients inside the cluster.", priority=1),
    Column("GPUs", ".spec.resources.gpu.count", "GPUs of each pod, where set.", type="integer", priority=1),
    Column("Age", ".metadata.creationTimestamp", "Time since the resource was made.", type="date"),
)
