"""Makes specs out of the CRD's own schema and a grammar of nasty values: any field, any type, alone and together.

    @given(specs())
    def test_x(spec: dict[str, Any]) -> None: ...

A field that enters the CRD is generated from the same day on.
"""

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from deepseekserve import crd

Schema = dict[str, Any]
Values = SearchStrategy[Any]

SHELL = (
    "$(reboot)", "`id`", "; rm -rf /", "a && b", "x | y", "$HOME", "$$", "$(VAR)", "${IFS}", "> /etc/passwd", "a\nb",
    "a\tb", "'", '"', "\\", "#", "*", "~", "!", "-", "--", "&", "\x1b[31m", "%s%n", "{{ .Values }}", "../..",
)
WORDS = (
    "yes", "no", "on", "off", "null", "true", "False", "Auto", "auto", "None", "NaN", ".inf", "0x10", "1e3", "1_000",
    "GPU", "CPU", "", " ", " a", "a ", "ü", "é\u0301", "日本語", "🤖", "\u202eabc", "\ufeff", "\u0000", "a" * 63,
    "a" * 64, "A" * 253, "x" * 5000, "a.b", "a-", "-a", "a/b/c", "deepseekserve.io/name", "vllm", "models", "engine",
)
QUANTITIES = (
    "1Gi", "1.5Gi", "0", "-1Gi", "1e3", "1E", "1Ei", "9223372036854775807", "9" * 30, "1e-400", "0.0000000001",
    "1.5.5", "1 Gi", "１Gi", "Gi", "+1", "1m", "500m", "0.5", "8", "16GB", "1024Mi", "4Ti",
)
NUMBERS = (
    0, -1, 1, 2, 7, 63, 64, 65, 100, 101, 1000, 4096, 65536, 2**31 - 1, 2**31, 2**53 + 1, -(2**63), 2**63 - 1, 1.5,
    -0.0, 1e300, 3.0,
)
SOURCES = (
    "hf://a/b", "hf://deepseek-ai/DeepSeek-R1@main", "pvc://models/r1", "pvc://models", "hf://", "hf://a/b@",
    "pvc://models/../x", "pvc://models//x", "pvc://Models/x", "s3://b/c", "HF://a/b", "file:///etc", "hf://a/b c",
    "pvc://models/$(reboot)", "hf://-a/b", "hf://a/b@-x", "pvc://models/-x", "pvc://m/日本語",
)
FLAGS = (
    "--port", "--port=1", "--host", "--model", "--max-model-len", "--max_model_len=9", "--max-model", "-tp", "-tp=2",
    "-q", "-qawq", "--api-key", "--config", "--ssl-keyfile", "--headless", "--seed", "1", "--enable-x", "--help",
    "--served-model-name", "--trust-remote-code", "--no-enable-prefix-caching", "-O3", "--json", '{"a": "$(x)"}',
    "-1",
)

TEXT = st.sampled_from((*WORDS, *SHELL))


def nasty() -> Values:
    """Anything at all, of any type."""
    leaf = st.sampled_from((*SHELL, *WORDS, *QUANTITIES, *NUMBERS, True, False, None, *FLAGS)) | st.text(max_size=40)
    return leaf | st.lists(leaf, max_size=3) | st.dictionaries(st.sampled_from((*WORDS, *SHELL)), leaf, max_size=3)


def mostly(right: Values, odd: Values, *, one_in: int) -> Values:
    """`right`, and `odd` in one case of so many: with everything odd, nothing would come past the first check."""
    return st.integers(1, one_in).flatmap(lambda drawn: odd if drawn == one_in else right)


def specs() -> SearchStrategy[dict[str, Any]]:
    """Whole specs: most fields absent, most of those present of the right type.

    What the API server cannot judge, and the operator must, stands in every third.
    """
    schema = crd.root()["properties"]["spec"]
    judged_later = st.fixed_dictionaries({"podTemplate": _pod_template()}) | st.fixed_dictionaries(
        {"engine": st.fixed_dictionaries({"extraArgs": st.lists(st.sampled_from(FLAGS), max_size=3)})})
    hard = mostly(st.just({}), judged_later, one_in=3)
    return st.builds(lambda *parts: dict(item for part in parts for item in part.items()),
                     _fields(schema, "", most=4), hard, _with_source(schema))


def names() -> SearchStrategy[str]:
    """Names of resources, mostly right."""
    right = st.sampled_from(("r1", "a", "vllm", "a" * 63, "a-1", "null", "true", "on"))
    wrong = st.sampled_from(("a" * 64, "1a", "a.b", "A", "-a", "a-", "ü", "a" * 253, "x_y", "$(id)", "a b"))
    return mostly(right, wrong, one_in=10)


def _with_source(schema: Schema) -> Values:
    model = schema["properties"]["model"]
    right = st.sampled_from(SOURCES[:4])
    source = mostly(right, st.sampled_from(SOURCES) | nasty(), one_in=5)
    rest = _fields({"properties": {k: v for k, v in model["properties"].items() if k != "source"}}, "model", most=1)
    return st.builds(lambda fields, source: {"model": {**fields, "source": source}}, rest, source)


def _fields(schema: Schema, path: str, *, most: int) -> SearchStrategy[dict[str, Any]]:
    """Some of an object's fields, each with a value of its own."""
    values = {name: _value(part, f"{path}.{name}".strip(".")) for name, part in schema["properties"].items()}
    return _some(values, most=most)


def _value(schema: Schema, path: str) -> Values:
    return mostly(st.deferred(lambda: _right(schema, path)), nasty(), one_in=12)


def _right(schema: Schema, path: str) -> Values:
    """A value of the schema's type, which may break its rules all the same."""
    if path == "podTemplate":
        return _pod_template()
    if path == "engine.extraArgs":
        return st.lists(st.sampled_from((*FLAGS, *SHELL)), max_size=4)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("x-kubernetes-int-or-string"):
        return mostly(st.sampled_from(("Auto", 1, 2, 4096, "8Gi")), st.sampled_from(QUANTITIES), one_in=3)
    return _of_type(schema, path)


def _of_type(schema: Schema, path: str) -> Values:
    match schema.get("type"):
        case "integer":
            return st.integers(schema.get("minimum", 0), schema.get("maximum", 2**31 - 1))
        case "boolean":
            return st.booleans()
        case "array":
            return st.lists(_value(schema["items"], f"{path}[]"), max_size=3)
        case "object" if "properties" in schema:
            return _fields(schema, path, most=3)
        case "object":
            keys = st.sampled_from(("a", "zone", "nvidia.com/gpu.product", *WORDS))
            value = _value(schema.get("additionalProperties", {"type": "string"}), path)
            return st.dictionaries(keys, value, max_size=3)
    return _text(schema)


def _text(schema: Schema) -> Values:
    if schema.get("format") == "date-time":
        return st.sampled_from(("2026-11-24T12:00:00Z", "2026-13-01T00:00:00Z", "now", "2026-11-24"))
    return mostly(st.sampled_from(("a", "r1", "x-1", "a/b", "zone")), st.sampled_from((*WORDS, *SHELL)), one_in=4)


def _pod_template() -> Values:
    """Pieces of pods, right, refused and absurd."""
    spec = _some({
        "containers": st.lists(_container(), max_size=2), "initContainers": st.lists(_container(), max_size=1),
        "volumes": st.lists(_volume(), max_size=2), "hostNetwork": st.booleans(), "hostPID": st.booleans(),
        "serviceAccountName": TEXT, "tolerations": nasty(), "$patch": TEXT, "nodeName": TEXT, "unknownField": nasty(),
        "securityContext": nasty(), "dnsPolicy": TEXT, "priority": st.sampled_from(NUMBERS),
        "hostAliases": st.just([{"ip": "10.0.0.1", "hostnames": ["a"]}]), "subdomain": st.just("a"),
        "terminationGracePeriodSeconds": st.sampled_from(NUMBERS),
    }, most=2)
    metadata = _some({
        "labels": st.dictionaries(TEXT, TEXT | nasty(), max_size=2), "annotations": nasty(), "name": TEXT}, most=1)
    parts = {"metadata": mostly(metadata, nasty(), one_in=8), "spec": mostly(spec, nasty(), one_in=8), "kind": TEXT}
    return _some(parts, most=2)


def _container() -> Values:
    variable = st.fixed_dictionaries(
        {"name": st.sampled_from(("A", "HOME", "VLLM_API_KEY", "日本")), "value": TEXT})
    port = st.fixed_dictionaries({"containerPort": st.sampled_from((8000, 9800, 9100, *NUMBERS))})
    mount = st.fixed_dictionaries(
        {"name": TEXT, "mountPath": st.sampled_from(("/x", "/deepseekserve", "/", "/models", *SHELL))})
    amounts = st.dictionaries(
        st.sampled_from(("cpu", "memory", "nvidia.com/gpu", "x")), st.sampled_from(QUANTITIES), max_size=2)
    security = ({"privileged": True}, {"runAsUser": -1}, {"capabilities": {"add": ["ALL"]}}, {"runAsUser": 5}, 7)
    fields = _some({
        "image": TEXT, "command": st.lists(TEXT, max_size=2), "args": nasty(), "env": st.lists(variable, max_size=3),
        "ports": st.lists(port, max_size=2), "volumeMounts": st.lists(mount, max_size=2),
        "securityContext": st.sampled_from(security), "livenessProbe": nasty(), "stdin": st.booleans() | nasty(),
        "resources": st.dictionaries(st.sampled_from(("limits", "requests", "x")), amounts, max_size=2),
    }, most=2)
    name = mostly(st.just("engine"), st.sampled_from(("logs", *WORDS)), one_in=3)
    return st.builds(lambda name, fields: {**fields, "name": name}, name, fields)


def _volume() -> Values:
    sources = _some({"hostPath": nasty(), "emptyDir": st.just({}), "configMap": nasty()}, most=1)
    name = st.sampled_from(("cache", "agent", "models", "x", *WORDS))
    return st.builds(lambda name, source: {**source, "name": name}, name, sources)


def _some(values: dict[str, Values], *, most: int) -> SearchStrategy[dict[str, Any]]:
    """Some of the fields, each with a value of its own."""
    some = st.lists(st.sampled_from(sorted(values)), max_size=most, unique=True)
    return some.flatmap(lambda chosen: st.fixed_dictionaries({name: values[name] for name in chosen}))
