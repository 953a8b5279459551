"""docs/diagnosis.md is what the diagnosis says today, and says something of every reason."""

import re

from deepseekserve.agent.reasons import Reason
from deepseekserve.status.failure import HANDBOOK
from tests import handbook


def test_the_page_is_up_to_date() -> None:
    assert handbook.PAGE.read_text(encoding="utf-8") == handbook.page(), "make handbook"


def test_every_reason_has_its_section_and_a_link_to_it() -> None:
    text = handbook.PAGE.read_text(encoding="utf-8")
    assert sorted(re.findall(r"^### (\w+)$", text, re.MULTILINE)) == sorted(reason.value for reason in Reason)
    assert all(f"](#{reason.value.lower()})" in text for reason in Reason)


def test_the_status_links_to_the_page() -> None:
    assert handbook.PAGE.parents[1] / HANDBOOK == handbook.PAGE


def test_every_reason_has_a_next_step_and_the_engines_have_an_example() -> None:
    text = handbook.PAGE.read_text(encoding="utf-8")
    sections = text.split("\n### ")[1:]
    assert [section.splitlines()[0] for section in sections if "* next step: " not in section] == []
    from_engine = text.partition("## From the agent")[0].split("\n### ")[1:]
    assert [section.splitlines()[0] for section in from_engine if "Example (" not in section] == []
