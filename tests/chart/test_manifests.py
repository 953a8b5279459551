"""What the chart makes of settings, judged by Helm's linter and by a real API server."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from deepseekserve.settings import Settings, read
from tests.chart.chart import CHART, NAMESPACE, ROOT, SETTINGS, Object, helm, one, render, render_text, with_settings
from tests.lab.kubectl import Kubectl

each_setting = pytest.mark.parametrize("file", SETTINGS, ids=lambda f: f.stem)


def environment(deployment: Object) -> dict[str, str]:
    """The operator's variables, those taken from the pod itself left out."""
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {e["name"]: e["value"] for e in container["env"] if "value" in e}


@each_setting
def test_helm_lint_finds_nothing(file: Path) -> None:
    helm("lint", "--strict", str(CHART), *with_settings(file))


@each_setting
def test_the_api_server_accepts_every_object_with_strict_validation(file: Path, kubectl: Kubectl) -> None:
    text = render_text(*with_settings(file))
    printed = replace(kubectl, namespace="")("apply", "--dry-run=server", "--validate=strict", "-f", "-", stdin=text)
    assert printed.count("(server dry run)") == len(render(*with_settings(file)))


@each_setting
def test_the_operators_pod_meets_pod_security_restricted(file: Path, kubectl: Kubectl) -> None:
    template = one(render(*with_settings(file)), "Deployment")["spec"]["template"]
    template["metadata"]["name"] = "operator"
    template["spec"]["serviceAccountName"] = "default"
    template["spec"].pop("priorityClassName", None)
    pod = {"apiVersion": "v1", "kind": "Pod", **template}
    kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", stdin=json.dumps(pod))


@each_setting
def test_the_operator_can_read_its_settings(file: Path) -> None:
    read(environment(one(render(*with_settings(file)), "Deployment")))


def test_the_defaults_of_chart_and_operator_are_the_same() -> None:
    deployment = one(render(), "Deployment")
    assert read(environment(deployment)) == Settings(image=image(deployment))


def image(deployment: Object) -> str:
    """The operator's own."""
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return str(container["image"])


def test_every_setting_of_the_operator_is_set_by_the_chart() -> None:
    (container,) = one(render(), "Deployment")["spec"]["template"]["spec"]["containers"]
    source = (ROOT / "operator" / "src" / "deepseekserve" / "settings.py").read_text()
    assert {e["name"] for e in container["env"]} == set(re.findall(r'"(DSS_[A-Z_]+)"', source))


def test_values_reach_the_operator_unchanged() -> None:
    deployment = one(render(*with_settings(next(f for f in SETTINGS if f.stem == "everything"))), "Deployment")
    assert read(environment(deployment)) == Settings(
        image=image(deployment), gpu_image="registry.example/vllm:gpu", cpu_image="registry.example:5000/vllm:cpu",
        image_pull_policy="Never",
        run_as_user=1000660000, workers=32, resync_seconds=60, lease_seconds=30, log_level="DEBUG",
    )


def test_users_labels_never_change_what_the_selector_finds() -> None:
    spec = one(render("--set", "podLabels.app\\.kubernetes\\.io/name=other"), "Deployment")["spec"]
    assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()


def test_selectors_do_not_change_with_the_version_of_the_chart() -> None:
    assert one(render(), "Deployment")["spec"]["selector"]["matchLabels"] == {
        "app.kubernetes.io/name": "deepseekserve", "app.kubernetes.io/instance": "deepseekserve",
    }


def test_the_crd_is_the_generated_one_kept_when_the_chart_goes() -> None:
    text = render_text("--show-only", "templates/crd.yaml")
    metadata, end = text.index("metadata:\n"), text.index("  name: deepseekserves.deepseekserve.io")
    assert "helm.sh/resource-policy: keep" in text[metadata:end]
    generated = (ROOT / "crds" / "deepseekserve.yaml").read_text()
    assert (text[:metadata] + "metadata:\n" + text[end:]).partition("crd.yaml\n")[2].strip() == generated.strip()


@pytest.mark.parametrize("release", ["r", "x" * 53, "deepseekserve-of-a-team"])
def test_names_stay_valid_whatever_the_release_is_called(release: str, kubectl: Kubectl) -> None:
    text = render_text("--set", "metrics.service.enabled=true", release=release)
    kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", stdin=text)


def test_two_releases_of_one_name_share_no_cluster_wide_object() -> None:
    roles = {o["metadata"]["name"] for o in render() if o["kind"] in ("ClusterRole", "ClusterRoleBinding")}
    assert roles
    assert all(name.startswith(NAMESPACE) for name in roles)
