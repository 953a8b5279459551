"""One real cluster with the operator installed, for the demo and the end-to-end tests: the same code brings up both.

setup.py brings the chain up, kubectl.py runs kubectl, watch.py follows a resource, forward.py reaches a Service.
"""
