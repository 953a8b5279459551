"""The OOM counter, on file trees as cgroup v1, v2 and containers with and without a cgroup namespace show them."""

from pathlib import Path

import pytest

from deepseekserve.agent.cgroup import oom_kills

V1 = "oom_kill_disable 0\nunder_oom 0\noom_kill {}\n"
V2 = "low 0\nhigh 0\nmax 12\noom 3\noom_kill {}\noom_group_kill 0\n"


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(("files", "count"), [
    ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.events": V2.format(2)}, 2),
    ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.events": V2.format(1),
      "sys/fs/cgroup/memory.events": V2.format(9)}, 1),
    ({"proc/self/cgroup": "0::/../x\n", "sys/fs/cgroup/memory.events": V2.format(4)}, 4),
    ({"proc/self/cgroup": "4:memory:/pod/c\n1:cpu:/\n", "sys/fs/cgroup/memory/memory.oom_control": V1.format(5)}, 5),
    ({"proc/self/cgroup": "4:memory:/p\n0::/\n", "sys/fs/cgroup/memory/p/memory.oom_control": V1.format(6)}, 6),
    ({"proc/self/cgroup": "4:cpu,memory:/p\n", "sys/fs/cgroup/memory/p/memory.oom_control": V1.format(7)}, 7),
    ({"proc/self/cgroup": "0::/\n"}, None),
    ({"proc/self/cgroup": "nonsense\n"}, None),
    ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.events": "oom_kill many\n"}, None),
    ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.events": "max 0\noom"}, None),
    ({}, None),
])
def test_the_counter_is_found_wherever_the_cgroup_is(tmp_path: Path, files: dict[str, str], count: int | None) -> None:
    assert oom_kills(tree(tmp_path, files)) == count
