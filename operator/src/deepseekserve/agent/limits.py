"""Turns nothing into anything: every time and size that the agent keeps to, in one frozen value.

Handed down from `main`; the two that users choose (stall and drain seconds) are command line options instead.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Seconds and bytes; tests pass smaller ones."""

    tick_s: float = 0.1                       # how often the supervisor looks, beside every signal

    chunk_bytes: int = 1024 * 1024            # one read from the engine, at most
    pipe_bytes: int = 1024 * 1024             # asked of the kernel for the engine's pipes; less is fine
    copy_bytes: int = 4 * 1024 * 1024         # what may wait for the parser before the copy (never the log) gets a gap
    tail_bytes: int = 256 * 1024              # what the parser sees behind a gap: the latest, before a pause or the end
    pace_s: float = 0.1                       # between two looks of the parser at what has come, at least
    line_bytes: int = 256 * 1024              # a longer line goes to the parser in pieces
    feed_bytes: int = 8 * 1024                # one call of the parser: a search holds the interpreter, pumps wait
    settle_s: float = 0.1                     # silence after which an unfinished line is shown to the parser
    view_s: float = 0.05                      # the parser's results are published at most this often
    parser_hung_s: float = 30.0               # a parser silent for this long counts as broken

    request_s: float = 10.0                   # one small request to the engine
    poll_s: float = 0.1                       # between readiness attempts once the log has announced the server
    blind_poll_s: float = 2.0                 # between looks at the port before that
    unannounced_s: float = 20.0               # a server that answers for this long is believed without a log line
    retry_s: float = 0.5                      # after an answer that is not yet the right one: do not hammer

    health_s: float = 1.0                     # between health checks while serving
    scrape_s: float = 5.0                     # between looks at the engine's metrics while serving
    unready_s: float = 15.0                   # no answer for this long: no new traffic
    unresponsive_s: float = 30.0              # no answer, or no sign of work on what waits, for this long: kill
    idle_canary_s: float = 20.0               # an engine without traffic is asked for one token this often
    processes_s: float = 2.0                  # between looks at the engine's processes
    fatal_s: float = 30.0                     # from a certainly fatal log line to the kill of an engine that hangs

    lame_duck_s: float = 5.0                  # unready but answering: endpoints need this long to forget us
    quiet_s: float = 2.0                      # nothing running or waiting for this long: drained
    drain_poll_s: float = 0.25
    terminate_s: float = 20.0                 # from SIGTERM to SIGKILL
    kill_s: float = 15.0                      # a process that outlives SIGKILL for this long: /live fails
    flush_s: float = 3.0                      # for the last of the log after the engine's end

    connections: int = 64                     # of probes and people at the same time; the oldest goes first
    connection_s: float = 5.0
    header_bytes: int = 8 * 1024
