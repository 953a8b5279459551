"""Control groups on machines of version 1 and 2, as folders of plain files."""

from pathlib import Path

import pytest

from tests.cluster.cgroups import Groups
from tests.cluster.errors import ClusterError


@pytest.fixture
def v1(tmp_path: Path) -> Groups:
    for name in ("cpu", "cpuset", "memory", "pids", "systemd"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cgroup.procs").touch()
    (tmp_path / "cpuacct").symlink_to("cpu")
    for file in ("cpuset.cpus", "cpuset.mems"):
        (tmp_path / "cpuset" / file).write_text("0-1\n")
    return Groups("mine", tmp_path)


def v2_machine(root: Path, controllers: str, handed_down: str) -> Groups:
    for folder in (root, root / "mine"):
        folder.mkdir(exist_ok=True)
        (folder / "cgroup.controllers").write_text(controllers)
        (folder / "cgroup.subtree_control").write_text(handed_down)
    return Groups("mine", root)


def test_version_1_has_one_group_in_every_hierarchy(v1: Groups, tmp_path: Path) -> None:
    v1.make()
    assert {g.parent.name for g in v1.left()} == {"cpu", "cpuset", "memory", "pids", "systemd"}
    assert v1.system == tmp_path / "systemd" / "mine" / "system"
    assert v1.system.is_dir()


def test_version_1_makes_groups_again_without_complaint(v1: Groups) -> None:
    v1.make()
    v1.make()


def test_a_version_1_cpuset_is_not_left_empty(v1: Groups, tmp_path: Path) -> None:
    group = tmp_path / "cpuset" / "mine"
    group.mkdir()
    (group / "cpuset.cpus").touch()
    v1.make()
    assert (group / "cpuset.cpus").read_text() == "0-1\n"


def test_processes_of_all_hierarchies_and_depths_are_found(v1: Groups, tmp_path: Path) -> None:
    v1.make()
    deep = tmp_path / "memory" / "mine" / "kubepods" / "pod1"
    deep.mkdir(parents=True)
    (deep / "cgroup.procs").write_text("11\n12\n")
    (v1.system / "cgroup.procs").write_text("13\n")
    assert v1.pids() == [11, 12, 13]
    assert v1.pids("kubepods") == [11, 12]


def test_removed_groups_are_gone_at_every_depth(v1: Groups, tmp_path: Path) -> None:
    v1.make()
    (tmp_path / "memory" / "mine" / "kubepods" / "pod1").mkdir(parents=True)
    v1.remove()
    assert v1.left() == []
    v1.remove()


def test_version_2_hands_down_what_is_missing(tmp_path: Path) -> None:
    groups = v2_machine(tmp_path, "cpuset cpu io memory hugetlb pids rdma", "memory pids")
    groups.make()
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+cpu +cpuset +io +hugetlb"
    assert groups.system == tmp_path / "mine" / "system"
    assert groups.system.is_dir()


def test_version_2_without_a_needed_controller_says_which(tmp_path: Path) -> None:
    groups = v2_machine(tmp_path, "cpu io memory", "")
    with pytest.raises(ClusterError, match="the controllers cpuset, pids are not available"):
        groups.make()


def test_a_machine_without_control_groups_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="no control groups"):
        _ = Groups("mine", tmp_path).system
