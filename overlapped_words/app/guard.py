"""Who may talk to the page, and what it may contact: its own host, and no other server."""

import re
import socket
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

import safehttpx  # type: ignore[import-untyped]
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

# Content security policy: browsers load scripts, fonts and images from this server only.
POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:"
ADDRESS = re.compile(r"[\d.]+|[\da-f]*:[\da-f:.]*")  # an IP address: a domain name has letters and no colon


def block_fetching() -> None:
    """Keep Gradio from fetching URLs that visitors send; it does so through two functions of safehttpx only."""

    async def refuse(*_: Any, **__: Any) -> Any:
        raise ValueError("URLs are not fetched; upload the recording")

    safehttpx.get = safehttpx.async_validate_url = refuse


class Guard:
    """ASGI middleware: rejects requests of other websites, and sends the content security policy.

    Any website can make its visitor's browser send requests to this machine. Its name may even resolve to this machine
    (DNS rebinding); the browser then takes the page for a part of the website. The headers Host and Origin tell.

    Args:
        app: the page.
        host: the address that the page is served at. If it is that of all interfaces, any IP address may be in the
            header Host: rebinding needs a name.
        allowed_hosts: other names, such as that of a reverse proxy.
    """

    def __init__(self, app: Callable[..., Awaitable[None]], host: str, allowed_hosts: Iterable[str]) -> None:
        self.app, self.any_address = app, host == "0.0.0.0"
        self.allowed = {name.lower() for name in allowed_hosts}
        self.names = {"localhost", "127.0.0.1", "::1", host.lower(), socket.gethostname().lower(), *self.allowed}

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        async def send_with_policy(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["content-security-policy"] = POLICY
            await send(message)

        error = self._error(Headers(scope=scope)) if scope["type"] == "http" else ""
        await (PlainTextResponse(error, 403) if error else self.app)(scope, receive, send_with_policy)

    def _error(self, headers: Headers) -> str:
        """Why a request is rejected; empty if it is not."""
        host, origin = headers.get("host", ""), headers.get("origin", "").partition("://")[2]
        if (name := hostname(host)) not in self.names and not (self.any_address and ADDRESS.fullmatch(name)):
            return f"the page is not served as {name!r}; start it with allowed_hosts=[NAME] to allow that"
        if "origin" in headers and origin != host and hostname(origin) not in self.allowed:
            return "requests of other websites are rejected"
        return ""


def hostname(netloc: str) -> str:
    """`LOCALHOST:7860` -> `localhost`, `[::1]:7860` -> `::1`."""
    return re.sub(r":\d*$", "", netloc.lower()).strip("[]")
