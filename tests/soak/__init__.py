"""Long tests that disturb the operator in bulk: `make soak` runs all of them and writes docs/soak.md.

One alone: python -m pytest tests/soak -k kills. Each has a control plane of its own (ground.py), with a kubelet that is
played (kubelet.py) and an audit log; test_node.py has a real node and real engines.

    walk.py       a scripted random walk of users: resources created, edited, deleted, made again
    history.py    every state that an own watch saw, and what must hold at every moment
    snapshot.py   everything at the end, without what differs between any two runs
    proxy.py      an API server that misbehaves on command
    report.py     what was done, with figures, as docs/soak.md
"""
