"""What the pipelines name exists, what they may do is least, and what they run is what it was when it was reviewed."""

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.images.recipe import RECIPES

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github"
WORKFLOWS = sorted((FOLDER / "workflows").glob("*.yaml"))
each_workflow = pytest.mark.parametrize("file", WORKFLOWS, ids=lambda f: f.stem)

# Everything beyond reading the repository that a job may do; a further right is added here, where it is seen.
SIGNING = {"id-token": "write", "attestations": "write"}
WRITING = {
    "release/images": {"packages": "write", **SIGNING},
    "release/publish": {"contents": "write", "packages": "write", **SIGNING},
}

FOLDERS = r"\.github|charts|crds|docs|examples|images|operator|requirements|tests"
OURS = re.compile(rf"(?<![\w./~-])(?:{FOLDERS})/[\w./*-]*[\w*]")
MODULE = re.compile(r"(?:python3 -m |from )(tests[\w.]*)")

Step = dict[str, Any]


def load(file: Path) -> dict[str, Any]:
    # YAML 1.1 reads the key `on` as true.
    return {str(key).replace("True", "on"): value for key, value in yaml.safe_load(file.read_text()).items()}


def jobs(file: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = load(file)["jobs"]
    return found


def steps(file: Path) -> Iterator[Step]:
    for job in jobs(file).values():
        yield from job.get("steps", [])


def scripts(file: Path) -> list[str]:
    return [step["run"] for step in steps(file) if "run" in step]


def texts(value: Any) -> Iterator[str]:
    """Every text in a workflow, without its comments."""
    if isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, str):
        yield value


def test_there_are_a_pipeline_for_changes_and_one_for_releases() -> None:
    assert [f.stem for f in WORKFLOWS] == ["release", "test"]


# What they name

@each_workflow
def test_every_target_that_it_makes_is_in_the_makefile(file: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    made = [word for script in scripts(file) for line in re.findall(r"\bmake (.+)", script) for word in line.split()]
    assert {word for word in made if not word.startswith("-")} <= targets


@each_workflow
def test_every_path_of_the_repository_that_it_names_exists(file: Path) -> None:
    named = {path for text in texts(load(file)) for path in OURS.findall(text)}
    assert [path for path in named if not any(ROOT.glob(path))] == []
    assert named, "the pattern above finds none: it has gone stale"


@each_workflow
def test_every_module_of_the_tests_that_it_runs_exists(file: Path) -> None:
    named = {module.replace(".", "/") for script in scripts(file) for module in MODULE.findall(script)}
    assert [m for m in named if not (ROOT / m).is_dir() and not (ROOT / f"{m}.py").is_file()] == []


def test_the_images_of_a_release_are_built_as_those_that_are_tested() -> None:
    built = jobs(FOLDER / "workflows" / "release.yaml")["images"]["strategy"]["matrix"]["include"]
    assert [(i["name"], (ROOT / i["context"]).resolve(), ROOT / i["file"]) for i in built] == [
        (recipe.name, recipe.context, recipe.context / recipe.dockerfile)
        for recipe in RECIPES.values() if recipe.name != "replay"          # of use to the tests alone
    ]


def test_the_pipeline_for_changes_makes_both_what_is_quick_and_everything_on_kind() -> None:
    quick, whole = (jobs(FOLDER / "workflows" / "test.yaml")[name] for name in ("check", "test"))
    assert "make check" in [step.get("run") for step in quick["steps"]]
    assert "make test" in [step.get("run") for step in whole["steps"]]
    assert whole["needs"] == "check"
    assert whole["env"] == {"PROVIDER": "kind"}


def test_nothing_is_published_that_was_not_tested() -> None:
    release = jobs(FOLDER / "workflows" / "release.yaml")
    assert release["test"]["uses"] == "./.github/workflows/test.yaml"
    assert "test" in release["images"]["needs"]
    assert "images" in release["publish"]["needs"]


# What they may do

@each_workflow
def test_it_may_read_and_no_more_but_for_the_jobs_that_publish(file: Path) -> None:
    assert load(file)["permissions"] == {"contents": "read"}
    beyond = {
        f"{file.stem}/{name}": {right: how for right, how in job["permissions"].items() if how != "read"}
        for name, job in jobs(file).items() if "permissions" in job
    }
    assert beyond == {job: rights for job, rights in WRITING.items() if job.startswith(f"{file.stem}/")}


@each_workflow
def test_no_checkout_leaves_a_token_behind(file: Path) -> None:
    checkouts = [step for step in steps(file) if step.get("uses", "").startswith("actions/checkout@")]
    assert [step for step in checkouts if step["with"]["persist-credentials"] is not False] == []


@each_workflow
def test_it_uses_no_secret_but_the_runs_own_token(file: Path) -> None:
    assert [text for text in texts(load(file)) if "secrets." in text] == []


@each_workflow
def test_every_action_is_pinned_to_a_commit_whose_release_is_named(file: Path) -> None:
    used = re.findall(r"^ *(?:- )?uses: (.+)$", file.read_text(), re.MULTILINE)
    pinned = re.compile(r"\./\.github/workflows/[\w.-]+|[\w-]+/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert [use for use in used if not pinned.fullmatch(use)] == []


def test_an_action_has_one_pin_in_all_workflows() -> None:
    used = {step["uses"] for file in WORKFLOWS for step in steps(file) if "uses" in step}
    repositories = {"/".join(use.split("@")[0].split("/")[:2]): use.split("@")[1] for use in used}
    assert {use.split("@")[1] for use in used} == set(repositories.values())


@each_workflow
def test_no_expression_stands_in_a_script_where_a_title_or_a_branch_could_become_a_command(file: Path) -> None:
    assert [script for script in scripts(file) if "${{" in script] == []


@each_workflow
def test_every_job_ends_and_runs_where_it_was_tried(file: Path) -> None:
    own = {name: job for name, job in jobs(file).items() if "uses" not in job}
    assert {job["runs-on"] for job in own.values()} == {"ubuntu-24.04"}
    assert [name for name, job in own.items() if not 0 < job["timeout-minutes"] <= 180] == []


@each_workflow
def test_two_runs_for_the_same_commit_do_not_go_on_side_by_side(file: Path) -> None:
    assert load(file)["concurrency"]["group"] == f"{file.stem}-${{{{ github.ref }}}}"


# Updates of what is pinned

UPDATES = yaml.safe_load((FOLDER / "dependabot.yml").read_text())["updates"]
MANIFESTS = {
    "github-actions": ".github/workflows/*.yaml", "pip": "*.in", "docker": "Dockerfile", "gomod": "go.mod",
}


@pytest.mark.parametrize("update", UPDATES, ids=lambda u: u["package-ecosystem"])
def test_updates_look_for_pins_where_there_are_some_and_come_together_once_a_week(update: dict[str, Any]) -> None:
    for folder in update.get("directories", [update.get("directory")]):
        assert any((ROOT / folder.strip("/")).glob(MANIFESTS[update["package-ecosystem"]])), folder
    assert update["schedule"] == {"interval": "weekly"}
    assert [group["patterns"] for group in update["groups"].values()] == [["*"]]


def test_every_kind_of_pin_is_updated_and_every_image() -> None:
    folders = {u["package-ecosystem"]: u.get("directories", [u.get("directory")]) for u in UPDATES}
    assert set(folders) == set(MANIFESTS)
    images = {dockerfile.parent for dockerfile in ROOT.glob("images/*/Dockerfile")}
    assert {ROOT / folder.strip("/") for folder in folders["docker"]} == images


# From a tag to a release's notes

def _release() -> Any:
    spec = importlib.util.spec_from_file_location("release", FOLDER / "release.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


release = _release()

CHANGELOG = """\
# Changelog

## Unreleased

## 1.2.0 - 2027-01-31

### Added
- This.

## [1.1.0]
- That.
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A commit that is ready to be tagged v1.2.0."""
    for file in release.VERSIONS:
        (tmp_path / file).parent.mkdir(parents=True)
        version = re.compile(r'(?<=[vV]ersion: )\S+|(?<=^version = ")[^"]+', re.MULTILINE)
        (tmp_path / file).write_text(version.sub("1.2.0", (ROOT / file).read_text()))
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    return tmp_path


def test_the_notes_are_the_changelogs_part_for_the_version(checkout: Path) -> None:
    assert release.notes("v1.2.0", checkout) == "### Added\n- This.\n"


@pytest.mark.parametrize("tag", ["1.2.0", "v1.2", "v1.2.0+build", "version", "v1.2.0\n"])
def test_another_form_of_a_tag_is_refused(checkout: Path, tag: str) -> None:
    with pytest.raises(release.NoRelease, match=r"a release is tagged vMAJOR\.MINOR\.PATCH"):
        release.notes(tag, checkout)


@pytest.mark.parametrize(("file", "field", "line"), [
    ("charts/deepseekserve/Chart.yaml", "version", "\nversion: 1.2.0"),
    ("charts/deepseekserve/Chart.yaml", "appVersion", "\nappVersion: 1.2.0"),
    ("operator/pyproject.toml", "version", '\nversion = "1.2.0"'),
])
def test_a_file_that_says_another_version_is_named_with_its_field(
    checkout: Path, file: str, field: str, line: str
) -> None:
    text = (checkout / file).read_text()
    assert text.count(line) == 1
    (checkout / file).write_text(text.replace(line, line.replace("1.2.0", "1.1.9")))
    with pytest.raises(release.NoRelease, match=rf"{file} says {field} 1\.1\.9: .* set {field} to 1\.2\.0"):
        release.notes("v1.2.0", checkout)


@pytest.mark.parametrize("changelog", ["# Changelog\n\n## Unreleased\n- This.\n", "## 1.2.0\n\n## 1.1.0\n- That.\n"])
def test_a_version_of_which_the_changelog_says_nothing_is_refused(checkout: Path, changelog: str) -> None:
    (checkout / "CHANGELOG.md").write_text(changelog)
    with pytest.raises(release.NoRelease, match=r"says nothing below a heading `## 1\.2\.0`"):
        release.notes("v1.2.0", checkout)


def test_the_versions_of_this_commit_are_found_and_agree() -> None:
    said = [
        (file, field, version)
        for file, pattern in release.VERSIONS.items() for field, version in pattern.findall((ROOT / file).read_text())
    ]
    assert [(file.rpartition("/")[2], field) for file, field, _ in said] == [
        ("Chart.yaml", "version"), ("Chart.yaml", "appVersion"), ("pyproject.toml", "version"),
    ]
    assert len({version for _, _, version in said}) == 1
