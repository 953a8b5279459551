"""The demo's story, in the order in which it is told; every line it prints comes from the cluster it runs on."""

import argparse
import json
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from dataclasses import replace

import openai
import yaml

from tests.demo.tell import Phases, last_events, line, paragraph, table
from tests.lab.forward import forwarded
from tests.lab.kubectl import Kubectl, Object
from tests.lab.setup import ROOT, Lab, Steps, bring_up_in, model_volume, restricted_namespace
from tests.lab.watch import Watch, condition, failed_with, is_true, serves
from tests.specs import merged, patch_of

NAMESPACE = "deepseek-demo"
NAME = "tiny"
EXAMPLE = ROOT / "examples" / "cpu-tiny.yaml"
QUESTION = "Why is the sky blue?"
START_S = 600
GUIDE = ROOT / "tests" / "demo" / "guide.yaml"
BREAK = {"spec": {"engine": {"quantization": "AWQ", "maxNumSeqs": 8}}}
INSIST = {"spec": {"rollout": {"admission": "Warn"}}}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; exit code 0 when every part of it was seen to work."""
    parser = argparse.ArgumentParser(prog="python -m tests.demo", description=__doc__)
    parser.add_argument(
        "--provider", choices=("auto", "local", "kind"), default="auto", help="where the cluster runs (default: auto)"
    )
    parser.add_argument("--image", metavar="NODE_IMAGE", help="kind's node image (default: kind's own)")
    options = parser.parse_args(argv)
    steps = Steps.begin(line)
    steps.run("deepseekserve plan: what cannot work is refused without a cluster", plan_guide)
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
        steps.run("started all the same: the engine's own word", lambda: insist(kubectl, watch))
        steps.run("the remedy of the status, applied", lambda: mend(kubectl, watch))
    farewell(kubectl, steps)
    return 0


def plan_guide() -> None:
    """Plan the guide's resource, apply the fixes of the answer to it, and plan it again."""
    resource: Object = yaml.safe_load(GUIDE.read_text())
    line(textwrap.indent(yaml.safe_dump(resource["spec"], sort_keys=False).rstrip(), "  "))
    refused = planned(resource)
    assert refused["fits"] == "False", refused
    line(f"  fixes, applied: {patch_of(refused['fixes'])}")
    admitted = planned(merged(resource, patch_of(refused["fixes"])))
    assert admitted["fits"] == "True", admitted


def planned(resource: Object) -> Object:
    """Show what the command says of a resource; its answer as JSON."""
    shown = plan("text", yaml.safe_dump(resource))
    line(f"  $ deepseekserve plan -f guide.yaml      (exit code {shown.returncode})")
    line(textwrap.indent(shown.stdout.rstrip(), "  "))
    (answer,) = json.loads(plan("json", yaml.safe_dump(resource)).stdout)["plans"]
    return dict(answer)


def plan(output: str, text: str) -> "subprocess.CompletedProcess[str]":
    """Run the command on a resource."""
    command = [sys.executable, "-m", "deepseekserve", "plan", "-f", "-", "-o", output]
    return subprocess.run(command, check=False, input=text, text=True, capture_output=True)


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
    ready = watch.until(lambda r: phases.show(r) and serves(r), timeout_s=START_S, what="Ready", since=mark).object
    predicted, reported = (ready["status"][part]["kvCacheTokens"] for part in ("sizing", "engine"))
    line("")
    line(f"  Fits: {condition(ready, 'Fits')['message']}")
    line(f"  tokens of KV cache: {predicted:,} predicted before the start, {reported:,} reported by the engine")
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
    """Ask for AWQ on weights that are not AWQ, and show what the status says: no pod is made for it."""
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
    assert condition(seen, "Fits")["status"] == "False"
    line("  Ready is still True: the older revision answers, and no pod was made for the new one.")


def insist(kubectl: Kubectl, watch: Watch) -> None:
    """Let it start, and show what the engine itself says."""
    line(f"  $ kubectl patch dss {NAME} --type=merge -p '{json.dumps(INSIST)}'")
    mark = watch.mark()
    kubectl.patch("dss", NAME, INSIST)
    seen = watch.until(
        lambda r: failed_with("QuantizationMissingConfig")(r) and bool(r["status"]["failure"].get("pod")),
        timeout_s=START_S, what="the engine's failure", since=mark,
    ).object
    paragraph("message", seen["status"]["failure"]["message"])
    line("  the line of its log that decides:")
    line(textwrap.indent(seen["status"]["failure"]["logExcerpt"].splitlines()[-1], "    ")[:150])


def mend(kubectl: Kubectl, watch: Watch) -> None:
    """Apply the fixes that the status itself names, and wait for the new revision."""
    failing = kubectl.get("dss", NAME)
    assert failing
    change = patch_of(failing["status"]["failure"]["fixes"])
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
