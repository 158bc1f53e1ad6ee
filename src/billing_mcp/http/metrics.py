"""What /metrics shows: calls, errors by kind, latency, vendor requests and retries, in flight.

No label is a caller's choice, a tenant's name or an id: the number of series is bounded, and
whoever may read the figures learns nothing of other tenants. The log has who called what.
"""

from typing import Literal

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from billing_mcp.telemetry import Call

MEDIA_TYPE = prometheus_client.CONTENT_TYPE_LATEST

# From a read of the embedded sandbox to the longest deadline of a call (seconds).
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60)


class Metrics:
    """An observer that counts. Two of them in one process do not see each other's calls."""

    def __init__(self) -> None:
        # Otherwise each counter brings a second series with the time of its first use.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # says no types
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._calls = Counter(
            "billing_mcp_calls",
            "Calls of tools that have ended; the outcome is ok, the error's kind or cancelled",
            ["tool", "outcome"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "billing_mcp_call_seconds",
            "How long calls of tools took, vendors included",
            ["tool"],
            buckets=BUCKETS_S,
            registry=self._registry,
        )
        self._in_flight = Gauge(
            "billing_mcp_calls_in_flight", "Calls of tools going on now", registry=self._registry
        )
        self._asked = Counter(
            "billing_mcp_upstream_requests",
            "Requests to the vendors by class of status, or why there was no answer",
            ["vendor", "outcome"],
            registry=self._registry,
        )
        self._retries = Counter(
            "billing_mcp_upstream_retries",
            "Requests to the vendors that repeated another",
            ["vendor"],
            registry=self._registry,
        )
        self._answers = Counter(
            "billing_mcp_http_requests",
            "Requests over HTTP by status; 0 is one that got no answer",
            ["status"],
            registry=self._registry,
        )
        self._limited = Counter(
            "billing_mcp_rate_limited",
            "Calls that were refused because their caller had made too many",
            registry=self._registry,
        )
        self._decided = Counter(
            "billing_mcp_plans_decided",
            "Plans that people approved or denied over HTTP",
            ["decision"],
            registry=self._registry,
        )

        # Looking a series up by its labels costs several times what counting does.
        self._ended: dict[tuple[str, str], Counter] = {}
        self._took: dict[str, Histogram] = {}
        self._outcomes: dict[tuple[str, str], Counter] = {}
        self._statuses: dict[int, Counter] = {}

    def call_began(self, tool: str) -> None:
        _ = tool
        self._in_flight.inc()

    def call_ended(self, call: Call) -> None:
        self._in_flight.dec()
        ended = call.tool, call.outcome
        if ended not in self._ended:
            self._ended[ended] = self._calls.labels(*ended)
        self._ended[ended].inc()
        if call.tool not in self._took:
            self._took[call.tool] = self._seconds.labels(call.tool)
        self._took[call.tool].observe(call.seconds)

    def vendor_asked(self, vendor: str, outcome: str) -> None:
        asked = vendor, outcome
        if asked not in self._outcomes:
            self._outcomes[asked] = self._asked.labels(*asked)
        self._outcomes[asked].inc()

    def vendor_asked_again(self, vendor: str) -> None:
        self._retries.labels(vendor).inc()

    def answered(self, status: int) -> None:
        if status not in self._statuses:
            self._statuses[status] = self._answers.labels(status)
        self._statuses[status].inc()

    def rate_limited(self) -> None:
        self._limited.inc()

    def plan_decided(self, decision: Literal["approved", "denied"]) -> None:
        self._decided.labels(decision).inc()

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return prometheus_client.generate_latest(self._registry)
