"""When a resource is looked at again without an event: only while something can change that no event tells."""

from dataclasses import replace
from datetime import timedelta

import pytest

from deepseekserve.agent.reasons import Reason
from deepseekserve.apply import Outcome
from deepseekserve.facts import Finding, Mounting, Trouble
from deepseekserve.reconcile.pace import next_look
from tests.unit.seen import NOW, facts, pod, report


@pytest.mark.parametrize(
    "situation", ["pulling", "image-back-off", "back-off", "config-error", "evicted", "scheduling"])
def test_what_events_will_tell_needs_no_look(situation: str) -> None:
    assert next_look(facts(pod(situation))) is None


def test_an_engine_that_starts_is_asked_each_second() -> None:
    assert next_look(facts(pod("running"))) == 1


def test_an_engine_that_has_told_what_it_serves_is_left_in_peace() -> None:
    assert next_look(facts(pod("ready", report=report("serving")))) is None


def test_an_engine_that_serves_and_has_told_nothing_is_asked_now_and_then() -> None:
    assert next_look(facts(pod("ready"))) == 10


def test_an_engine_that_serves_and_has_not_told_all_is_asked_again() -> None:
    assert next_look(facts(pod("ready", report=replace(report("serving"), settled=False)))) == 2


def test_pods_of_an_older_revision_are_not_followed() -> None:
    assert next_look(facts(pod("running", revision="older"))) is None


def test_a_pod_without_a_node_is_looked_at_when_its_grace_is_over() -> None:
    young = facts(pod("unschedulable"), now=NOW - timedelta(seconds=147))          # 3 s after the scheduler's word
    assert next_look(young) == 7
    assert next_look(facts(pod("unschedulable"))) is None


@pytest.mark.parametrize(("age_s", "next_s"), [(0, 5), (4, 2), (5, 2.5), (30, 15), (3600, 60)])
def test_a_pod_that_hangs_is_looked_at_less_and_less_often(age_s: int, next_s: float) -> None:
    hanging = pod("hanging", created=(NOW - timedelta(seconds=age_s)).isoformat())
    assert next_look(facts(hanging)) == next_s
    in_trouble = replace(hanging, mounting=Mounting(done=False, trouble=Trouble("FailedMount", "no")))
    assert next_look(facts(in_trouble)) == next_s


def test_a_pod_whose_volumes_are_mounted_needs_no_look() -> None:
    assert next_look(facts(pod("hanging", mounting=Mounting(done=True, trouble=None)))) is None


def test_what_stands_in_the_way_is_tried_again_and_the_soonest_look_counts() -> None:
    conflict = Outcome(trouble=Finding(Reason.NAME_CONFLICT, "Somebody else's."))
    assert next_look(facts(), conflict) == 30
    assert next_look(facts(), Outcome(waiting=True)) == 2
    assert next_look(facts(pod("running")), conflict) == 1
