"""DeepSeekServe: one small resource, one served DeepSeek model, and the reason whenever it cannot work.

The data flow, top to bottom:

    kopf on.event (handlers) -> work queue (workqueue) -> reconcile(key)

    reconcile:  get        the resource from the cache (kube)
                observe    children, pods, their agents and Events -> Facts (observe, facts)
                diagnose   Facts -> Finding: phase, progress, reason, remedy (diagnose)
                render     spec, current revision, replicas -> child manifests (revision, engine, render)
                apply      missing ones created, changed ones applied, strangers left alone (apply)
                status     everything above -> one write, or none (status)

Inside each engine pod runs `deepseekserve.agent`: it starts the engine, reads its log, answers the probes.
"""
