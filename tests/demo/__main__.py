"""The demo's story, in the order in which it is told; every line it prints comes from the cluster it runs on."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

import openai

from tests.demo.tell import Phases, fix_patch, last_events, line, paragraph, table
from tests.lab.forward import forwarded
from tests.lab.kubectl import Kubectl
from tests.lab.setup import ROOT, Lab, Steps, bring_up_in, model_volume, restricted_namespace
from tests.lab.watch import Watch, failed_with, is_true, serves

NAMESPACE = "deepseek-demo"
NAME = "tiny"
EXAMPLE = ROOT / "examples" / "cpu-tiny.yaml"
QUESTION = "Why is the sky blue?"
START_S = 600
BREAK = {"spec": {"engine": {"quantization": "AWQ", "maxNumSeqs": 8}}}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; exit code 0 when every part of it was seen to work."""
    parser = argparse.ArgumentParser(prog="python -m tests.demo", description=__doc__)
    parser.add_argument(
        "--provider", choices=("auto", "local", "kind"), default="auto", help="where the cluster runs (default: auto)"
    )
    parser.add_argument("--image", metavar="NODE_IMAGE", help="kind's node image (default: kind's own)")
    options = parser.parse_args(argv)
    steps = Steps.begin(line)
    lab = bring_up_in(steps, provider=options.provider, node_image=options.image)
    kubectl = replace(lab.kubectl, namespace=NAMESPACE)
    steps.run(
        "a namespace that enforces Pod Security `restricted`, and a volume for the model", lambda: place(lab, kubectl)
    )
    with Watch(kubectl, NAME) as watch:
        steps.run(
            f"kubectl apply -f {EXAMPLE.relative_to(ROOT)}, and the start as the status tells it",
            lambda: serve(lab, kubectl, watch),
        )
        steps.run("a question, asked with the official openai client", lambda: ask(kubectl))
        steps.run("broken on purpose: quantization AWQ on a plain checkpoint", lambda: break_it(kubectl, watch))
        steps.run("the remedy of the status, applied", lambda: mend(kubectl, watch))
    farewell(kubectl, steps)
    return 0


def place(lab: Lab, kubectl: Kubectl) -> None:
    """Make the namespace and the static volume; both are kept when they are there already."""
    restricted_namespace(lab.kubectl, NAMESPACE)
    volume, _ = model_volume(lab, namespace=NAMESPACE)    # the example brings the claim
    kubectl.apply(volume)


def serve(lab: Lab, kubectl: Kubectl, watch: Watch) -> None:
    """Apply the example and print each change of its status until it serves."""
    kubectl("delete", "dss,job", "--all", "--wait=true")
    example = EXAMPLE.read_text().replace("ENGINE_IMAGE", lab.engine_image)
    kubectl("apply", "--filename=-", "--selector=step=model", stdin=example)
    kubectl("wait", "--for=condition=Complete", "job/make-tiny-model", "--timeout=300s", timeout_s=310)
    phases = Phases(line)
    mark = watch.mark()
    kubectl.apply(example)
    watch.until(lambda r: phases.show(r) and serves(r), timeout_s=START_S, what="Ready", since=mark)
    line("")
    line(kubectl("get", "dss", NAME).rstrip())
    line("")
    table("seconds in each phase", phases.seconds())


def ask(kubectl: Kubectl) -> None:
    """One chat through the Service, as any OpenAI program would do it."""
    with (
        forwarded(kubectl, f"svc/{NAME}", 8000) as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client,
    ):
        model = next(iter(client.models.list())).id
        begin = time.monotonic()
        answer = client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": QUESTION}], max_tokens=24
        )
        message = answer.choices[0].message
        said = message.content or getattr(message, "reasoning", "") or ""
        line(f"  you:   {QUESTION}")
        line(f"  {model}: {said.strip()!r}  ({time.monotonic() - begin:.1f} s)")
        line("  (the weights are random, so the words mean nothing; the path is the real one)")


def break_it(kubectl: Kubectl, watch: Watch) -> None:
    """Ask for AWQ on weights that are not AWQ, and show what the status says while the old pod still serves."""
    line(f"  $ kubectl patch dss {NAME} --type=merge -p '{json.dumps(BREAK)}'")
    mark = watch.mark()
    kubectl.patch("dss", NAME, BREAK)
    seen = watch.until(
        lambda r: failed_with("QuantizationMissingConfig")(r) and is_true("Degraded")(r),
        timeout_s=START_S,
        what="the typed reason",
        since=mark,
    ).object
    line(kubectl("get", "dss", NAME).rstrip())
    failure = seen["status"]["failure"]
    paragraph("message", failure["message"])
    paragraph("remedy", failure["remedy"])
    assert is_true("Ready")(seen), "the older revision should still serve"
    line("  Ready is still True: the older revision answers while the new one fails.")


def mend(kubectl: Kubectl, watch: Watch) -> None:
    """Apply the fixes that the status itself names, and wait for the new revision."""
    failing = kubectl.get("dss", NAME)
    assert failing
    change = fix_patch(failing["status"]["failure"]["fixes"])
    line(f"  applying status.failure.fixes: {change}")
    mark = watch.mark()
    phases = Phases(line)
    kubectl.patch("dss", NAME, change)
    seen = watch.until(
        lambda r: phases.show(r) and serves(r), timeout_s=START_S, what="Degraded=False on the new revision", since=mark
    ).object
    assert seen["status"]["currentRevision"] == seen["status"]["lastGoodRevision"]
    line("")
    line(kubectl("get", "dss", NAME).rstrip())
    line(f"  Degraded=False; revision {seen['status']['currentRevision']} serves.")


def farewell(kubectl: Kubectl, steps: Steps) -> None:
    """What happened, how long it took, what to try next."""
    last_events(kubectl, NAME)
    table("how long each step took", [(title, f"{seconds:.0f} s") for title, seconds in steps.took])
    command = f"kubectl --kubeconfig={kubectl.kubeconfig} -n {NAMESPACE}"
    table(
        "what to try next",
        [
            ("watch a start", f"{command} get dss -w"),
            ("read a status", f"{command} describe dss {NAME}"),
            ("two replicas", f"{command} scale dss/{NAME} --replicas=2"),
            ("the fields", f"{command} explain dss.spec.engine"),
            ("the tests", "make test"),
            ("end it all", "python3 -m tests.cluster down"),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
