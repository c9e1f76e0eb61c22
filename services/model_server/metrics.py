"""Prometheus metrics under TF Serving's names, so that its dashboards show this server too."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import accumulate

from services.model_server.errors import Code, ServingError

COUNT = ":tensorflow:serving:request_count"
LATENCY = ":tensorflow:serving:request_latency"
STATE = ":chexnet:model_server:version_state"

# Microseconds, as TF Serving has them: 10, 18, 32.4 …
BOUNDS = [10 * 1.8**n for n in range(33)]


class _Histogram:
    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        self.buckets[bisect_left(BOUNDS, value)] += 1
        self.sum += value


class Metrics:
    """Counts requests by outcome, and how long they took."""

    def __init__(self, states: Callable[[], dict[str, dict[int, str]]]) -> None:
        """Start at 0; `states` gives model → version → state when somebody looks."""
        self._states = states
        self._counts: Counter[tuple[str, str]] = Counter()
        self._latencies: dict[tuple[str, str, str], _Histogram] = defaultdict(_Histogram)
        self._lock = threading.Lock()

    @contextmanager
    def request(self, model: str, api: str, entry: str) -> Iterator[None]:
        """Count what happens inside, e.g. for `xray`, `Predict`, `GRPC`.

        A model that is not served is counted as '', since anybody may send any name.
        """
        code, start = Code.UNKNOWN, time.perf_counter()
        try:
            yield
            code = Code.OK
        except ServingError as error:
            code = error.code
            raise
        finally:
            name = model if model in self._states() else ""
            with self._lock:
                self._counts[name, code.name] += 1
                took = (time.perf_counter() - start) * 1e6
                self._latencies[name, api, entry].add(took)

    def page(self) -> str:
        """Return the text that Prometheus scrapes."""
        with self._lock:
            lines = [f"# TYPE {COUNT} counter"]
            for (model, status), count in sorted(self._counts.items()):
                lines.append(f"{COUNT}{_labels(model_name=model, status=status)} {count}")
            lines.append(f"# TYPE {LATENCY} histogram")
            for (model, api, entry), histogram in sorted(self._latencies.items()):
                of = {"model_name": model, "API": api, "entrypoint": entry}
                bounds = [*(f"{bound:g}" for bound in BOUNDS), "+Inf"]
                for le, total in zip(bounds, accumulate(histogram.buckets), strict=True):
                    lines.append(f"{LATENCY}_bucket{_labels(**of, le=le)} {total}")
                lines.append(f"{LATENCY}_sum{_labels(**of)} {histogram.sum:.0f}")
                lines.append(f"{LATENCY}_count{_labels(**of)} {sum(histogram.buckets)}")
        lines.append(f"# TYPE {STATE} gauge")
        for model, versions in sorted(self._states().items()):
            for version, state in sorted(versions.items()):
                of = {"model_name": model, "version": str(version), "state": state}
                lines.append(f"{STATE}{_labels(**of)} 1")
        return "\n".join(lines) + "\n"


def _labels(**labels: str) -> str:
    escaped = {
        k: v.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
        for k, v in labels.items()
    }
    return "{" + ",".join(f'{k}="{v}"' for k, v in escaped.items()) + "}"
