"""The agent that runs inside the engine's pod: starts the engine, reads its log, answers the probes.

Standard library only, Python 3.10 or later; shipped as a zipapp in a ConfigMap, so that a stock vLLM image works.
"""
