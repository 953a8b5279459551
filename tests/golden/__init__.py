"""Goldens: resources and what is rendered of them; tests/integration/test_golden.py has the API server judge each."""
