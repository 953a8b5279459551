"""The pipelines, judged by actionlint; and the step of a release that changes and packages the chart, run for real."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.chart.chart import CHART, ROOT, helm, one
from tests.cluster.tools import tool

WORKFLOWS = ROOT / ".github" / "workflows"
IMAGE = f"ghcr.io/somebody/deepseekserve/operator:1.2.3@sha256:{'0' * 64}"
VERSION: str = yaml.safe_load((CHART / "Chart.yaml").read_text())["version"]


def lint(*files: Path) -> list[str]:
    """What actionlint says; without the linters of other languages, which not every machine has."""
    command = [str(tool("actionlint")), "-shellcheck=", "-pyflakes=", "-oneline", *map(str, files)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout.splitlines()


def test_actionlint_has_nothing_to_say() -> None:
    assert lint(*sorted(WORKFLOWS.glob("*.yaml"))) == []


@pytest.mark.parametrize(("right", "wrong", "said"), [
    ("needs: [version, test]", "needs: [version, tests]", 'needs job "tests"'),
    ("packages: write ", "package: write ", 'unknown permission scope "package"'),
    ("steps.build.outputs.digest", "steps.built.outputs.digest", 'property "built" is not defined'),
])
def test_actionlint_would_say_what_is_wrong(tmp_path: Path, right: str, wrong: str, said: str) -> None:
    text = (WORKFLOWS / "release.yaml").read_text()
    assert right in text
    (tmp_path / "release.yaml").write_text(text.replace(right, wrong))
    assert said in "\n".join(lint(tmp_path / "release.yaml"))


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """A copy of what the packaging step reads, with the changelog of a release, after that step."""
    for folder in (".github", "charts", "crds"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / "operator").mkdir()
    shutil.copy(ROOT / "operator" / "pyproject.toml", tmp_path / "operator")
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n## {VERSION}\n- Everything.\n")
    given = {"HELM": str(tool("helm")), "IMAGE": IMAGE, "VERSION": VERSION, "GITHUB_REF_NAME": f"v{VERSION}"}
    subprocess.run(["bash", "-e", "-c", packaging()], cwd=tmp_path, env={**os.environ, **given}, check=True)
    return tmp_path


def packaging() -> str:
    steps = yaml.safe_load((WORKFLOWS / "release.yaml").read_text())["jobs"]["publish"]["steps"]
    (script,) = [step["run"] for step in steps if step.get("id") == "package"]
    return str(script)


def test_a_released_chart_runs_the_image_of_its_release_unless_told_otherwise(released: Path) -> None:
    packaged = released / "dist" / f"deepseekserve-{VERSION}.tgz"
    rendered = list(yaml.safe_load_all(helm("template", "any", str(packaged), "--kube-version", "1.34.0")))
    (container,) = one([o for o in rendered if o], "Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == IMAGE


def test_a_release_has_the_chart_the_crd_and_its_notes(released: Path) -> None:
    chart, crd = f"deepseekserve-{VERSION}.tgz", f"deepseekserve-crd-{VERSION}.yaml"
    assert sorted(f.name for f in (released / "dist").iterdir()) == sorted([chart, crd])
    assert (released / "dist" / crd).read_bytes() == (ROOT / "crds" / "deepseekserve.yaml").read_bytes()
    assert (released / "notes.md").read_text() == "- Everything.\n"
