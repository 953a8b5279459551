"""The operator's environment: defaults, every variable, and a message that names the wrong one."""

from dataclasses import replace

import pytest

from deepseekserve.settings import InvalidSetting, Settings, read

EVERY_VARIABLE = {
    "DSS_NAMESPACE": "ops",
    "DSS_IDENTITY": "operator-0",
    "DSS_IMAGE": "registry.example.com/operator:1",
    "DSS_ENGINE_IMAGE_GPU": "registry.example.com/gpu:1",
    "DSS_ENGINE_IMAGE_CPU": "registry.example.com/cpu:1",
    "DSS_IMAGE_PULL_POLICY": "Never",
    "DSS_WATCH_NAMESPACES": "team-a, team-b,,team-a",
    "DSS_ENGINE_RUN_AS_USER": "2000",
    "DSS_HTTP_PORT": "8081",
    "DSS_WORKERS": "3",
    "DSS_RESYNC_SECONDS": "60",
    "DSS_LEASE_SECONDS": "30",
    "DSS_LOG_LEVEL": "DEBUG",
}


def test_an_empty_environment_gives_the_defaults() -> None:
    assert read({}) == Settings()


def test_an_empty_value_is_no_value() -> None:
    assert read(dict.fromkeys(EVERY_VARIABLE, "")) == Settings()


def test_every_variable_is_read() -> None:
    assert read(EVERY_VARIABLE) == Settings(
        namespace="ops", identity="operator-0", image="registry.example.com/operator:1",
        gpu_image="registry.example.com/gpu:1",
        cpu_image="registry.example.com/cpu:1", image_pull_policy="Never",
        watch_namespaces=("team-a", "team-b"), run_as_user=2000, http_port=8081, workers=3,
        resync_seconds=60, lease_seconds=30, log_level="DEBUG",
    )


def test_the_user_of_engine_pods_can_be_left_to_the_cluster() -> None:
    assert read({"DSS_ENGINE_RUN_AS_USER": "omit"}) == replace(Settings(), run_as_user=None)


@pytest.mark.parametrize(("variable", "value"), [
    ("DSS_IMAGE_PULL_POLICY", "Sometimes"),
    ("DSS_LOG_LEVEL", "info"),
    ("DSS_WATCH_NAMESPACES", "Team A"),
    ("DSS_WATCH_NAMESPACES", "a;b"),
    ("DSS_WATCH_NAMESPACES", "a,-b"),
    ("DSS_HTTP_PORT", "0"),
    ("DSS_HTTP_PORT", "65536"),
    ("DSS_HTTP_PORT", "http"),
    ("DSS_WORKERS", "-1"),
    ("DSS_WORKERS", "1.5"),
    ("DSS_RESYNC_SECONDS", "9"),
    ("DSS_LEASE_SECONDS", "²0"),
    ("DSS_ENGINE_RUN_AS_USER", "0"),
    ("DSS_ENGINE_RUN_AS_USER", "root"),
])
def test_a_wrong_value_is_named_together_with_what_is_right(variable: str, value: str) -> None:
    with pytest.raises(InvalidSetting, match=rf"{variable}='{value}': set "):
        read({variable: value})
