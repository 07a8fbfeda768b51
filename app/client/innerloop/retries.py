"""When to send again, and how long to wait first. Pure policy: the clients do the sleeping and the sending."""

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from .call import Call
from .errors import ConnectionFailed
from .problems import error_of

# 409 is absent on purpose: asking again does not change a state. With a Retry-After it says something else: the
# first attempt, which was taken for lost, still runs, and its answer can be had in a moment.
RETRIED = frozenset({408, 429, 502, 503, 504})
# A proxy answers so without knowing what became of the request behind it.
_OF_PROXIES = frozenset({502, 504})
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 8.0
# A service whose engine died answers 503 for some seconds and is then as it was: a call is borne with for this long
# in all, however many attempts that takes.
UNAVAILABLE_S = 12.0
# A service that asks for more patience than this is reported to the caller in place of being waited for.
LONGEST_RETRY_AFTER_S = 120.0


class Attempts:
    """The attempts of one call: told of each outcome, it answers with a delay in seconds, or raises."""

    def __init__(self, url: str, max_retries: int) -> None:
        self._url = url
        self._left = max_retries
        self._made = 0
        self._lost = False  # whether an attempt may have done its work without an answer
        self._unavailable_s = UNAVAILABLE_S if max_retries else 0.0

    def failed(self, error: httpx.TransportError) -> float:
        """After an attempt without an answer. Raises ConnectionFailed when no retry is left or would help."""
        final = isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError)
        self._lost = self._lost or not isinstance(error, _NEVER_SENT)
        if final or self._left <= 0:
            raise ConnectionFailed(explain(self._url, error, self._made + 1)) from error
        return self._next_delay(None)

    def answered(self, response: httpx.Response) -> float:
        """After an attempt that was answered with an error. Raises the APIError unless it is worth a retry."""
        if response.status_code == 412 and self._lost:
            raise ConnectionFailed(
                f"the answer of {self._url} to an earlier attempt was lost, and the condition does not hold now: "
                "that attempt may have done the work; look at how things are before trying again"
            )
        self._lost = self._lost or response.status_code in _OF_PROXIES
        wait = retry_after(response.headers)
        patient = wait is None or wait <= LONGEST_RETRY_AFTER_S
        passing = response.status_code in RETRIED or (response.status_code == 409 and wait is not None)
        borne = response.status_code == 503 and self._unavailable_s > 0
        if not passing or not patient or (self._left <= 0 and not borne):
            raise error_of(response, wait)
        delay = self._next_delay(wait)
        if borne:
            delay = delay if wait is not None else min(delay, self._unavailable_s)
            self._unavailable_s -= delay
        return delay

    def was_done(self, response: httpx.Response, call: Call[Any]) -> bool:
        """Whether this error says that an earlier attempt, whose answer was lost, did the call's work."""
        return self._lost and response.status_code in call.done

    def _next_delay(self, asked: float | None) -> float:
        delay: float = min(FIRST_DELAY_S * 2**self._made, LONGEST_DELAY_S)
        self._made += 1
        self._left -= 1
        if asked is not None:
            # Never earlier than asked; the spread keeps many clients from coming back in the same instant.
            return asked * (1 + 0.1 * random.random())
        return delay * (1 - 0.25 * random.random())


def retry_after(headers: httpx.Headers, now: datetime | None = None) -> float | None:
    """The Retry-After header in seconds (it is given as seconds or as a date); None where absent or unreadable."""
    value: str = headers.get("Retry-After", "").strip()
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())


def explain(url: str, error: httpx.TransportError, attempts: int) -> str:
    """What failed and what to do, in one sentence or two."""
    tries = f" ({attempts} attempts)" if attempts > 1 else ""
    if isinstance(error, httpx.TimeoutException) and not isinstance(error, httpx.ConnectTimeout):
        return (
            f"no answer from {url} in time{tries}; pass a longer timeout= (seconds), "
            "or look at GET /readyz for what is slow"
        )
    reason = str(error) or type(error).__name__
    return (
        f"cannot reach {url}: {reason}{tries}; start the service with `innerloop serve`, "
        "or name another with base_url= or INNERLOOP_URL"
    )
