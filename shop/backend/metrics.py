"""Request metrics in Prometheus form, as plain ASGI around the application; no route is defined here."""

from __future__ import annotations

from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shop.backend import limits
from shop.backend.config import Config
from shop.backend.database import Database

# Dense around the budgets that people set (50 ms, 500 ms), so that a quantile near them is no guess.
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0)

# A label's values are bounded: a method or path that somebody invents must not make a new series.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})


class Metrics:
    """The registry of one instance and the middleware that feeds it."""

    def __init__(self, config: Config) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self._duration = Histogram(
            "http_request_duration_seconds",
            "Time from a request's first byte to its answer's last.",
            labels,
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._requests = Counter("http_requests_total", "Requests that were answered.", labels, registry=self.registry)
        self._open = Gauge("http_requests_in_progress", "Requests that are being answered.", registry=self.registry)
        info = Gauge(
            "shop_build_info", "1, with what runs here.", ("version", "colour", "instance"), registry=self.registry
        )
        info.labels(config.version, config.colour, config.instance).set(1)
        self._usage()
        self._children: dict[tuple[str, str, int], tuple[Histogram, Counter]] = {}

    def _usage(self) -> None:
        """CPU and memory of this process, and what it may use of them."""
        ProcessCollector(registry=self.registry)
        cores = Gauge("shop_cpu_limit_cores", "Cores that this instance may use.", registry=self.registry)
        cores.set_function(limits.cpu_cores)
        memory = Gauge("shop_memory_limit_bytes", "Memory that this instance may use.", registry=self.registry)
        memory.set_function(limits.memory_bytes)

    def watch(self, database: Database) -> None:
        """Tell of the database's connections and statements too."""
        states = Gauge(
            "shop_database_connections", "Connections to the database, by state.", ("state",), registry=self.registry
        )
        states.labels("busy").set_function(lambda: database.connections()[0])
        states.labels("idle").set_function(lambda: database.connections()[1])
        most = Gauge("shop_database_connections_limit", "The most that this instance opens.", registry=self.registry)
        most.set(database.most_connections)
        queries = Histogram(
            "shop_database_query_seconds",
            "Time of a statement, from sending it to its last row.",
            buckets=BUCKETS,
            registry=self.registry,
        )
        database.on_query = queries.observe
        troubles = Counter(
            "shop_database_troubles_total",
            "Requests that the database did not serve, by cause.",
            ("cause",),
            registry=self.registry,
        )
        database.on_trouble = lambda cause: troubles.labels(cause).inc()

    def routes(self) -> list[Route]:
        return [Route("/metrics", self.expose, methods=["GET"])]

    async def expose(self, _request: Request) -> Response:
        return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)

    def around(self, application: ASGIApp) -> ASGIApp:
        """The application with every HTTP request measured."""

        async def measured(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await application(scope, receive, send)
                return
            status = 500

            async def noting(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                await send(message)

            began = perf_counter()
            self._open.inc()
            try:
                await application(scope, receive, noting)
            finally:
                self._open.dec()
                self._observe(scope, status, perf_counter() - began)

        return measured

    def _observe(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else "other"
        route = scope.get("route")
        key = (method, route.path if isinstance(route, Route) else "unmatched", status)
        found = self._children.get(key)
        if found is None:
            found = self._children[key] = (self._duration.labels(*key), self._requests.labels(*key))
        found[0].observe(seconds)
        found[1].inc()
