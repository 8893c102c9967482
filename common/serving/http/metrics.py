"""Counts and times for Prometheus, of one service."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """Requests, errors and latency by route; time of models; whether models are served."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        of_route = (("route", "method", "status"), self.registry)
        self.requests = Counter(
            "encore_requests_total", "Requests that were answered.", of_route[0], registry=of_route[1]
        )
        self.errors = Counter(
            "encore_errors_total", "Answers of status 500 and more.", ("route",), registry=self.registry
        )
        self.latency = Histogram(
            "encore_request_seconds", "Time to an answer.", ("route",), buckets=SECONDS, registry=self.registry
        )
        self.model_seconds = Histogram(
            "encore_model_seconds", "Time of one list.", ("model",), buckets=SECONDS, registry=self.registry
        )
        self.available = Gauge(
            "encore_model_available", "1 where a model is served.", ("model",), registry=self.registry
        )

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one request; `route` is a path of the API, not what somebody typed."""
        if (children := self._children.get((route, method, status))) is None:
            children = self.requests.labels(route, method, str(status)), self.latency.labels(route)
            self._children[route, method, status] = children
        children[0].inc()
        children[1].observe(seconds)
        if status >= 500:
            self.errors.labels(route).inc()

    def text(self) -> bytes:
        """All of it, in Prometheus' format."""
        return generate_latest(self.registry)
