"""DeepSeekServe: one small resource, one served DeepSeek model, and the reason whenever it cannot work.

The data flow, top to bottom:

    kopf on.event (handlers) -> work queue (workqueue) -> reconcile(key)

    reconcile:  get        the resource from the cache (kube)
                observe    children, pods, their agents and Events -> Facts (observe, facts)
                diagnose   Facts -> Finding: phase, progress, reason, remedy (diagnose)
                render     spec, current revision, replicas -> child manifests (revision, engine, render)
                apply      missing ones created, changed ones applied, strangers left alone (apply)
                status     everything above -> one write, or none (status)

Beside that, what is known before anything runs:

    catalog     models, GPUs and quantizations, with the origin of their figures
    reader      the files of a model, in a folder -> a Summary of less than 4 KiB (runs in a pod of its own too)
    hub         the same of a repository of the Hugging Face hub
    sizing      config.json and a setup -> bytes of weights, KV cache and the rest
    fits        a resource, its model and its GPU -> it fits, it cannot work, or nobody can say (with fixes)
    plan        files -> verdicts on a terminal (`deepseekserve plan`; `operate` is the other program, the operator)

Inside each engine pod runs `deepseekserve.agent`: it starts the engine, reads its log, answers the probes.
"""
