"""What the operator logs, and what it leaves to asyncio."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from deepseekserve.logs import KeyValues, fields, loop_errors


def line(record: logging.LogRecord) -> str:
    return KeyValues().format(record).partition(" ")[2]


def record(message: str, **values: object) -> logging.LogRecord:
    return logging.makeLogRecord({"name": "x", "levelname": "INFO", "msg": message, **fields(**values)})


@pytest.mark.parametrize(
    ("value", "shown"),
    [("a", "a"), ("a b", '"a b"'), ('a"b', '"a\\"b"'), ("a=b", '"a=b"'), ("", '""'), ("a\nb", '"a\\nb"'), (3, "3")],
)
def test_a_record_is_one_line_of_key_value_pairs(value: object, shown: str) -> None:
    assert line(record("applied", kind=value)) == f"level=INFO logger=x msg=applied kind={shown}"


async def complains_when_closed() -> AsyncIterator[None]:
    """As kopf's watch does, when the loop closed the generator within it first."""
    try:
        yield
    finally:
        raise RuntimeError("generator didn't stop after athrow()")


def test_a_generator_that_the_loop_closes_at_its_end_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    suspended = complains_when_closed()

    async def leave_it_suspended() -> None:
        asyncio.get_running_loop().set_exception_handler(loop_errors)
        await anext(suspended)

    caplog.set_level(logging.DEBUG, "deepseekserve")
    asyncio.run(leave_it_suspended())
    assert caplog.messages == ["closed a suspended generator"]
    assert caplog.records[0].levelno == logging.DEBUG


def test_every_other_error_of_the_loop_keeps_its_report(caplog: pytest.LogCaptureFixture) -> None:
    async def careless() -> None:
        asyncio.get_running_loop().set_exception_handler(loop_errors)
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        await asyncio.sleep(0)

    asyncio.run(careless())
    assert [r.exc_info[0] for r in caplog.records if r.exc_info] == [ZeroDivisionError]
