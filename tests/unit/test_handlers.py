"""What kopf is told not to do: copy, compare and store what on.event handlers never ask for."""

from itertools import islice

import kopf

from deepseekserve import handlers

BODY = kopf.Body({"metadata": {"name": "tiny"}, "spec": {"replicas": 1}})


def test_nothing_of_a_body_is_copied_to_be_compared() -> None:
    storage = handlers.settings().persistence.diffbase_storage
    assert storage.build(body=BODY) == {}
    assert storage.fetch(body=BODY) is None


def test_no_progress_is_looked_for_or_written() -> None:
    storage, patch = handlers.settings().persistence.progress_storage, kopf.Patch()
    essence = kopf.BodyEssence()
    assert storage.clear(essence=essence) is essence
    assert storage.fetch(key=kopf.HandlerId("see"), body=BODY) is None
    storage.purge(key=kopf.HandlerId("see"), body=BODY, patch=patch)
    storage.touch(body=BODY, patch=patch, value="now")
    handlers.settings().persistence.diffbase_storage.store(body=BODY, patch=patch, essence=essence)
    assert not patch


def test_a_watch_is_tried_again_for_ever_and_every_few_seconds() -> None:
    waits = handlers.settings().networking.error_backoffs
    assert not isinstance(waits, float)
    assert max(islice(iter(waits), 1000)) == handlers.RETRY_MAX_S
