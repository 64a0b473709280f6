"""HTTP to a model server: one client, and errors in plain words. When to try again is told by `ilab.llm.retry`."""

from __future__ import annotations

import ipaddress
import json
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import httpx

from ilab.errors import ConfigError, TeacherError
from ilab.llm import retry, tls
from ilab.llm.port import ContextExceeded, RequestRefused
from ilab.llm.retry import TryError

_REFUSED = (400, 413, 422)
"""Statuses by which a server refuses one request, while others may do."""
_BUSY = (429, 503, 504)
_NO_SUCH_METHOD = 501
_CONTEXT = re.compile(r"context.{0,20}(?:length|size|window)|exceeds? the (?:available )?context|too many tokens", re.I)
_CONNECT_TIMEOUT = 10.0
_REAP_TIME = 0.2
"""Seconds between the end of an engine's connections and the moment when its exit can be seen."""

Result = TypeVar("Result")


class Transport:
    """Posts JSON to one server. Safe to use from many threads at once.

    `watch` is called before each retry and after each failure; it raises when there is no sense in trying again, for
    example because the engine behind the address has died. The API key lives in the client's headers only: it is in
    no message, log line or repr.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str = "",
        timeout: float,
        retries: int,
        socket: Path | None = None,
        verify: bool | str | ssl.SSLContext = True,
        watch: Callable[[], None] | None = None,
    ) -> None:
        self.base_url = normalise(base_url)
        self.shown_url = _without_password(self.base_url)
        self.retries = retries
        self.timeout = timeout
        self._watch = watch or _nothing
        self._client = httpx.Client(
            base_url=self.base_url + "/",
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=httpx.Timeout(timeout, connect=min(timeout, _CONNECT_TIMEOUT), pool=None),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=64),
            transport=httpx.HTTPTransport(uds=str(socket), limits=httpx.Limits(max_connections=None))
            if socket
            else None,
            trust_env=socket is None and not _is_loopback(self.base_url),
            verify=tls.trusting(verify) if isinstance(verify, str) else verify,
        )

    def __repr__(self) -> str:
        return f"Transport({self.shown_url!r})"

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def find(self, path: str) -> Any:
        """The JSON at `path` beside the API, from the server's root; None where the server has nothing there.

        Tried once. Raises `TryError` when another try may do better.
        """
        parts = urlsplit(self.base_url)
        root = urlunsplit((parts.scheme, parts.netloc, parts.path.removesuffix("/v1"), "", ""))
        try:
            return self.attempt(lambda: self._json(self._client.get(f"{root}/{path}")))
        except RequestRefused:
            return None
        except TryError as error:
            if error.passing and error.status != _NO_SUCH_METHOD:
                raise
            return None

    def get(self, path: str) -> Any:
        """The JSON at `path`."""
        return self.call(lambda: self.attempt(lambda: self._json(self._client.get(path))))

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON that the server answers to `body`."""
        return self.call(lambda: self.post_once(path, body, lambda answer: answer))

    def post_once(self, path: str, body: Mapping[str, Any], read: Callable[[Any], Result]) -> Result:
        """What `read` makes of the answer to `body`, tried once. Raises `TryError`, or `RequestRefused`.

        `read` raises `ValueError` for JSON that is no answer; another try may bring a better one.
        """
        return self.attempt(lambda: read(self._json(self._client.post(path, json=body))), garbage_passes=True)

    def events(self, path: str, body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The server-sent events that answer `body`; retried until the first one has come. Closing it cancels."""
        manager = self.call(lambda: self.attempt(lambda: self._open(path, body)))
        try:
            with manager as response, self._plain_errors():
                yield from _parse_events(response.iter_bytes())
        except TryError:
            time.sleep(_REAP_TIME)
            self._watch()
            raise

    def _open(self, path: str, body: Mapping[str, Any]) -> _OpenStream:
        request = self._client.build_request("POST", path, json=body)
        response = self._client.send(request, stream=True)
        if response.is_error:
            response.read()
            response.close()
            raise httpx.HTTPStatusError("", request=request, response=response)
        return _OpenStream(response)

    @staticmethod
    def _json(response: httpx.Response) -> Any:
        if response.is_error:
            raise httpx.HTTPStatusError("", request=response.request, response=response)
        return response.json()

    def call(self, once: Callable[[], Result]) -> Result:
        """`once()`, and again while its failures may pass."""
        return retry.call(once, retries=self.retries, watch=self._watch)

    def attempt(self, once: Callable[[], Result], *, garbage_passes: bool = False) -> Result:
        """`once()` with errors in plain words; when it fails, `watch` may know a better reason."""
        try:
            with self._plain_errors(garbage_passes=garbage_passes):
                return once()
        except TryError:
            self._watch()
            raise

    @contextmanager
    def _plain_errors(self, *, garbage_passes: bool = False) -> Iterator[None]:
        try:
            yield
        except httpx.HTTPStatusError as error:
            raise self._refusal(error.response) from error
        except httpx.TimeoutException as error:
            message = f"{self.shown_url} did not answer within {self.timeout:g} s"
            hint = "the model may be too slow for this request: allow more time, or run fewer requests at once"
            raise TryError(message, hint=hint, passing=True, busy=True) from error
        except httpx.TransportError as error:
            distrust = tls.hint_of(str(error))
            hint = distrust or "is a model server running there?"
            raise TryError(
                f"cannot reach {self.shown_url}: {_reason(error)}", hint=hint, passing=not distrust
            ) from error
        except ValueError as error:
            message = f"{self.shown_url} does not answer as a model server does: {error}"
            hint = "the address must be of an OpenAI-compatible server"
            raise TryError(message, hint=hint, passing=garbage_passes) from error

    def _refusal(self, response: httpx.Response) -> TeacherError:
        status, said = response.status_code, _server_message(response)
        message = f"{self.shown_url} answers {status}: {said}"
        if status in _REFUSED:
            kind = ContextExceeded if _CONTEXT.search(said) else RequestRefused
            return kind(message, status=status)
        hints = {401: "check the API key", 403: "check the API key", 404: "check the address and the model name"}
        return TryError(
            message,
            hint=hints.get(status, ""),
            passing=status in (408, 429) or status >= 500,
            busy=status in _BUSY,
            wait=_retry_after(response),
            status=status,
        )


class _OpenStream:
    """Closes a streamed response on leaving, so that the server stops generating."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response

    def __enter__(self) -> httpx.Response:
        return self.response

    def __exit__(self, *_: object) -> None:
        self.response.close()


def normalise(base_url: str) -> str:
    """`base_url` without a slash at its end; `/v1` is added when it has no path, since most servers live there.

    Raises `ConfigError` for what is no HTTP address.
    """
    text = base_url.strip() if "://" in base_url else f"http://{base_url.strip()}"
    try:
        parts = urlsplit(text)
        found = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0  # a wrong port raises
    except ValueError:
        found = None
    if not found:
        raise ConfigError(
            f"`{_without_password(text)}` is not the address of a model server",
            hint="it looks like http://127.0.0.1:8000/v1 or https://host/v1",
        )
    path = parts.path.rstrip("/") or "/v1"
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))


def _parse_events(chunks: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    """The JSON objects of an event stream. Lines end at `\\n` only: text may hold U+2028, which is no line end here."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            data = line.strip().removeprefix(b"data:").strip() if line.startswith(b"data:") else b""
            if data == b"[DONE]":
                return
            if data:
                yield _event(data)


def _event(data: bytes) -> dict[str, Any]:
    event = json.loads(data)
    if not isinstance(event, dict):
        raise ValueError("an event is not an object")
    if event.get("error"):
        raise TeacherError(f"the model server broke off: {_message_of(event)}")
    return event


def _server_message(response: httpx.Response) -> str:
    try:
        body = response.json()
    except ValueError:
        body = None
    text = _message_of(body) if isinstance(body, dict) else ""
    return text or " ".join(response.text.split())[:300] or response.reason_phrase


def _message_of(body: Mapping[str, Any]) -> str:
    """The message in an error body, in any of the usual spellings."""
    for value in (body.get("error"), body.get("message"), body.get("detail")):
        if isinstance(value, dict) and value.get("message"):
            return str(value["message"])
        if value:
            return value if isinstance(value, str) else json.dumps(value)[:300]
    return ""


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds out of a Retry-After header, which holds a number or a date."""
    value = response.headers.get("retry-after", "")
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def _reason(error: httpx.TransportError) -> str:
    return str(error) or type(error).__name__


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _without_password(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.rpartition("@")[2]
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _nothing() -> None:
    return
