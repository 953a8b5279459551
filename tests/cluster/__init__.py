"""A real Kubernetes cluster for people and tests, on a bare Linux machine or in Docker. Standard library only.

    python -m tests.cluster (__main__) -> lifecycle: up, stop, down   under one lock per cluster (lock)
        provider local   tools (Go modules -> cached programs), packages (apt)
                         -> node: one process that holds the node's network and mount namespaces
                         -> pki, components: etcd, API server, controllers, scheduler, kubelet, proxy, DNS (processes)
        provider kind    kind in Docker
        both             cluster: load images, run commands, make volumes; gpus and kwok: nodes that look equipped
    controlplane         etcd, API server and controllers alone, no root, 3 s: for integration tests
"""
