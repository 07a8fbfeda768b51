"""HEAD: wherever GET is answered, the same headers without the body. Knows no route."""

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Head:
    """Around everything: all inside, the log and the metrics too, sees GET."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            return await self._app(scope, receive, send)
        ended = False

        async def send_head(message: Message) -> None:
            nonlocal ended
            if ended:
                # Nobody is there for more of it: leaves a stream, which may go on for hours.
                raise ClientDisconnect
            if message["type"] == "http.response.body":
                ended = message.get("more_body", False)
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        # A copy: the server looks at its own to know that no body will follow the Content-Length.
        return await self._app({**scope, "method": "GET"}, receive, send_head)
