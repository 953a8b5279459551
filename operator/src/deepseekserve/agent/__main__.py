"""Turns `python -m deepseekserve.agent` into the agent; the zipapp starts the same way."""

from deepseekserve.agent.main import run

if __name__ == "__main__":
    run()
