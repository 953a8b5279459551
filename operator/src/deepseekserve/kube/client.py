"""Turns get, list, create, apply, replace, patch and delete into requests, with raw dicts in and out.

Only the client library's transport and credentials are used, none of its models.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from kubernetes_asyncio.client.api_client import ApiClient
from kubernetes_asyncio.client.configuration import Configuration
from kubernetes_asyncio.config import ConfigException, load_incluster_config, load_kube_config

from deepseekserve import metrics, names
from deepseekserve.kube.errors import Forbidden, KubeError, NotFound, Unreachable, may_pass, refusal
from deepseekserve.kube.kinds import EVENTS, Key, Kind, Listing, Object, key_of

REQUEST_TIMEOUT_S = 30
PAGE_SIZE = 100
PAGE_RETRIES_S = (0.5, 1.0, 2.0)
READ_BYTES = 2**21           # an object may have 1.5 MiB

JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"       # JSON is YAML
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

Query = Mapping[str, str | int]


@asynccontextmanager
async def connect() -> AsyncIterator["Kube"]:
    """A Kube with the pod's own credentials, or those of the kubeconfig outside of a cluster."""
    configuration = Configuration()
    try:
        load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except ConfigException:
        await load_kube_config(client_configuration=configuration)
    configuration.proxy = configuration.proxy or proxy_of(str(configuration.host))
    client = ApiClient(configuration)
    client.user_agent = names.FIELD_MANAGER
    client.rest_client.pool_manager = _without_netrc(client.rest_client.pool_manager)
    try:
        yield Kube(client)
    finally:
        await client.close()


@dataclass(frozen=True)
class Request:
    """One request, as it is sent and as it is named in errors."""

    verb: str                     # as metrics and audit logs name it
    method: str
    path: str
    query: Query | None = None
    body: Any = None
    content_type: str = JSON
    accept: str = JSON

    def __str__(self) -> str:
        return f"{self.verb} {self.path}"


class Kube:
    """The API server. Every method raises a `kube.errors` exception when the request did not do its work."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._namespaces: tuple[str, ...] = ()

    def fence(self, check: Callable[[], None]) -> None:
        """Call `check` as the last thing before a request that changes something leaves this process.

        A process that was stopped for a while goes on in the middle of a request, before any timer of it has run.
        """
        async def before_body(*_: object) -> None:
            check()

        trace = aiohttp.TraceConfig()
        trace.on_request_chunk_sent.append(before_body)
        trace.freeze()
        self._client.rest_client.pool_manager.trace_configs.append(trace)

    async def get(self, kind: Kind, key: Key) -> Object:
        """One object, read from the API server and not from a cache."""
        return await self._send(Request("get", "GET", kind.path(*key), accept=_accepted(kind)))

    def confine(self, namespaces: Sequence[str]) -> None:
        """From now on, list these namespaces only; none: all of the cluster."""
        self._namespaces = tuple(namespaces)

    async def may_list(self, kind: Kind, namespace: str) -> bool:
        """Tell whether we are allowed to list a kind in a namespace, by asking for one object."""
        try:
            await self._send(Request("list", "GET", kind.path(namespace), {"limit": 1}, accept=METADATA_LIST))
        except Forbidden:
            return False
        return True

    async def events_of(self, namespace: str, uid: str) -> list[Object]:
        """The Events of one object. The API server keeps them for an hour, and looks through those of the namespace."""
        query: dict[str, str | int] = {"fieldSelector": f"regarding.uid={uid}", "limit": PAGE_SIZE}
        found = await self._send(Request("list", "GET", EVENTS.path(namespace), query))
        return found.get("items") or []

    async def labelled(self, kind: Kind, namespace: str, selector: str) -> list[Object]:
        """The objects of a namespace that match a label selector, of which there are few."""
        query: dict[str, str | int] = {"labelSelector": selector, "limit": PAGE_SIZE}
        found = await self._send(Request("list", "GET", kind.path(namespace), query))
        return found.get("items") or []

    async def pages(self, kind: Kind, *, selector: str = "") -> AsyncIterator[Listing]:
        """All objects that match the label selector, page by page, of the namespaces that it is confined to.

        As dicts, the objects of a thousand resources take hundreds of MiB: have done with a page before the next one.
        Raises Gone when the token of the next page grew too old.
        """
        accept = METADATA_LIST if kind.metadata_only else JSON
        for namespace in self._namespaces or (None,):
            query: dict[str, str | int] = {"limit": PAGE_SIZE} | ({"labelSelector": selector} if selector else {})
            while True:
                page = await self._page(Request("list", "GET", kind.path(namespace), query, accept=accept))
                token = page["metadata"].get("continue", "")
                yield Listing(page.get("items") or [], page["metadata"]["resourceVersion"])
                del page
                if not token:
                    break
                query = {**query, "continue": token}

    async def _page(self, request: Request) -> Object:
        """One page. Of a list that has begun it is asked for again, so that a passing error does not cost the rest."""
        for pause_s in PAGE_RETRIES_S if "continue" in (request.query or {}) else ():
            try:
                return await self._send(request)
            except KubeError as error:
                if not may_pass(error):
                    raise
                await asyncio.sleep(max(pause_s, error.retry_after_s or 0))
        return await self._send(request)

    async def create(self, kind: Kind, obj: Object) -> Object:
        """POST: raises AlreadyExists, and so never touches what is already there."""
        query = {"fieldManager": names.FIELD_MANAGER, "fieldValidation": "Strict"}
        path = kind.path(obj["metadata"]["namespace"])
        return await self._send(Request("create", "POST", path, query, obj, accept=_accepted(kind)))

    async def apply(self, kind: Kind, obj: Object) -> Object:
        """Server-side apply, forced: our fields win. With metadata.uid in `obj`, Conflict unless it is that object."""
        query = {"fieldManager": names.FIELD_MANAGER, "force": "true"}
        return await self._send(Request("apply", "PATCH", kind.path(*key_of(obj)), query, obj, APPLY))

    async def replace(self, kind: Kind, obj: Object) -> Object:
        """PUT: Conflict when the object is no longer of the resource version in `obj`."""
        return await self._send(Request("update", "PUT", kind.path(*key_of(obj)), None, obj))

    async def patch(self, kind: Kind, key: Key, operations: Iterable[Object]) -> Object:
        """JSON patch; Invalid when one of its tests fails."""
        return await self._send(Request("patch", "PATCH", kind.path(*key), None, [*operations], JSON_PATCH))

    async def patch_status(self, kind: Kind, key: Key, uid: str, status: Object) -> Object:
        """Replace the whole status of the object with this uid; Invalid when it is another one by now."""
        operations = [
            {"op": "test", "path": "/metadata/uid", "value": uid},
            {"op": "add", "path": "/status", "value": status},
        ]
        return await self._send(Request("patch", "PATCH", kind.path(*key, "status"), None, operations, JSON_PATCH))

    async def delete(self, kind: Kind, key: Key, uid: str) -> None:
        """Delete the object with this uid, its dependants in the background; none of that name is fine."""
        body = {"preconditions": {"uid": uid}, "propagationPolicy": "Background"}
        try:
            await self._send(Request("delete", "DELETE", kind.path(*key), None, body))
        except NotFound:
            return

    async def serves(self, kind: Kind) -> bool:
        """Tell whether discovery knows the kind: its CRD is established."""
        try:
            found = await self._send(Request("get", "GET", kind.root))
        except NotFound:
            return False
        return any(resource["name"] == kind.plural for resource in found["resources"])

    async def _send(self, request: Request) -> Object:
        try:
            response, body = await self._exchange(request)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            metrics.KUBE_REQUESTS.labels(request.verb, "none").inc()
            raise Unreachable(f"{request}: {type(error).__name__}: {error}") from error
        metrics.KUBE_REQUESTS.labels(request.verb, str(response.status)).inc()
        if response.status >= 400:
            raise refusal(str(request), response.status, _status(body, response.headers.get("Retry-After", "")))
        answer: Object = json.loads(body)
        return answer

    async def _exchange(self, request: Request) -> tuple[aiohttp.ClientResponse, bytes]:
        response = await self._client.call_api(
            request.path,
            request.method,
            query_params=list((request.query or {}).items()),
            header_params={"Accept": request.accept, "Content-Type": request.content_type},
            body=request.body,
            auth_settings=["BearerToken"],
            _preload_content=False,
            _request_timeout=REQUEST_TIMEOUT_S,
        )
        async with response:
            return response, await response.read()


def _accepted(kind: Kind) -> str:
    return METADATA if kind.metadata_only else JSON


def _without_netrc(session: aiohttp.ClientSession) -> aiohttp.ClientSession:
    """The library's session but for `trust_env`, with which aiohttp reads ~/.netrc in a thread at every request."""
    connector = session.connector
    session.detach()
    return aiohttp.ClientSession(connector=connector, read_bufsize=READ_BYTES)


def proxy_of(host: str) -> str | None:
    """The proxy that HTTPS_PROXY and NO_PROXY ask for, which `trust_env` would have asked as well."""
    address = urlsplit(host)
    return None if proxy_bypass(address.hostname or "") else getproxies().get(address.scheme)


def _status(body: bytes, retry_after: str) -> Object:
    """The metav1.Status of a refusal; proxies in between, and an API server under load, answer with a text."""
    try:
        status = json.loads(body)
    except ValueError:
        status = None
    if not isinstance(status, dict):
        status = {"message": body[:500].decode(errors="replace")}
    if retry_after.isdigit():                   # the other form, a date, is used by no API server
        status["details"] = {"retryAfterSeconds": int(retry_after), **(status.get("details") or {})}
    return status
