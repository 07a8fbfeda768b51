"""HEAD: wherever GET is answered, the same headers without the body. Knows no route."""

from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Head:
    """Lets the application see GET; whoever is outside of this still sees HEAD."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            return await self._app(scope, receive, send)
        # A copy: the server looks at its own to know that no body will follow the Content-Length.
        inner = {**scope, "method": "GET"}
        ended = False

        async def send_head(message: Message) -> None:
            nonlocal ended
            if ended:
                raise _Ended
            if message["type"] == "http.response.body":
                ended = message.get("more_body", False)
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        try:
            with suppress(_Ended):
                await self._app(inner, receive, send_head)
        finally:
            # For the log and the metrics.
            scope["route"] = inner.get("route")
        return None


class _Ended(Exception):
    """Leaves a stream, which may go on for hours, after its headers."""
