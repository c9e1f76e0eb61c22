"""The notifier against HTTP servers: at least once, in order, and nobody waits for it."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from chexnet.adapters.memory import MemoryBus, MemoryStore
from chexnet.adapters.webhooks import SIGNATURE, Webhook
from chexnet.errors import ConfigError
from chexnet.experiments import chain, decisions
from chexnet.experiments.control import read
from chexnet.experiments.decisions import By
from chexnet.messages import Headers, Message, now
from chexnet.runtime.health import Health, Healths
from chexnet.runtime.notifier import Notifier
from chexnet.runtime.worker import Worker, each
from chexnet.topics import AUDIT
from tests.unit.experiments.test_chain import archive


class Site:
    """Who is told: an HTTP server that gives these answers, then 200."""

    def __init__(self, *answers: int) -> None:
        self.answers, self.calls = list(answers), list[tuple[dict[str, str], bytes]]()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                site.calls.append((dict(self.headers), body))
                self.send_response(site.answers.pop(0) if site.answers else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Be silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?token=t0ps3cret"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def told(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.calls]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def sites() -> Iterator[Callable[..., Site]]:
    made: list[Site] = []

    def site(*answers: int) -> Site:
        made.append(Site(*answers))
        return made[-1]

    yield site
    for one in made:
        one.close()


class Platform:
    """A pipeline in memory whose decisions are archived at once, and its notifier's workers."""

    def __init__(self) -> None:
        self.bus, self.store = MemoryBus(), MemoryStore()
        self.archives = True

    def promote(self, version: int, at: datetime | None = None) -> None:
        by = By(who="jd", at=at or now())
        decisions.promote(self.bus, read(self.bus, "xray"), version, [], [], {}, by)
        if self.archives:
            archive(self.bus, self.store)

    def follow(
        self,
        *webhooks: Webhook,
        until: Callable[[list[Health]], bool],
        done: Callable[[], None] | None = None,
    ) -> list[Health]:
        """Run a worker for each until a condition holds; `done` is called once they run."""
        stop, healths = threading.Event(), [Health(f"notifier.{n}") for n in range(len(webhooks))]
        threads = [
            threading.Thread(target=self._worker(webhook, health, stop).run)
            for webhook, health in zip(webhooks, healths, strict=True)
        ]
        for thread in threads:
            thread.start()
        if done:
            done()
        while not until(healths):
            stop.wait(0.005)
        states = [Health(h.service) for h in healths]
        for copy, health in zip(states, healths, strict=True):
            copy.set(health.state, health.reason)
        stop.set()
        for thread in threads:
            thread.join()
        return states

    def _worker(self, webhook: Webhook, health: Health, stop: threading.Event) -> Worker:
        age = timedelta(hours=72)
        notifier = Notifier(self.bus, self.store, webhook, age=age, clock=now)
        return Worker(
            self.bus,
            AUDIT,
            each(notifier),
            group=f"notifier.{webhook.digest}",
            instance="0",
            health=health,
            stop=stop,
            at_most=1,
        )

    def followed(self, webhook: Webhook) -> bool:
        """Whether all that stands on the topic is done with."""
        subscription = self.bus.subscribe(AUDIT, group=f"notifier.{webhook.digest}", instance="0")
        return subscription.lag() == 0


@pytest.fixture
def platform() -> Platform:
    return Platform()


def test_a_receiver_that_fails_at_first_is_told_again_until_it_knows(
    platform: Platform, sites: Callable[..., Site], tmp_path: Path
) -> None:
    (secret := tmp_path / "webhooks.key").write_text("a key\n")
    site = sites(500, 302, 503)
    platform.promote(1)
    webhook = Webhook(site.url, secret)
    platform.follow(webhook, until=lambda _: platform.followed(webhook))
    assert len(site.calls) == 4
    assert len({told["id"] for told in site.told}) == 1
    notice = site.told[-1]
    assert (notice["event"], notice["champion"], notice["who"]) == ("promoted", 1, "jd")
    head = chain.head(platform.store)
    assert notice["head"] == {"number": 1, "sha256": head.sha256}
    headers, body = site.calls[-1]
    signed = hmac.new(b"a key", body, hashlib.sha256).hexdigest()
    assert headers[SIGNATURE] == f"sha256={signed}"
    assert headers["X-Chexnet-Event"] == "promoted"


def test_without_a_secret_nothing_is_signed(platform: Platform, sites: Callable[..., Site]) -> None:
    site = sites()
    platform.promote(1)
    webhook = Webhook(site.url, None)
    platform.follow(webhook, until=lambda _: platform.followed(webhook))
    assert SIGNATURE not in site.calls[0][0]


def test_a_receiver_that_is_away_holds_up_neither_promotions_nor_others(
    platform: Platform, sites: Callable[..., Site]
) -> None:
    away, there = sites(), sites()
    dead, alive = Webhook(away.url, None), Webhook(there.url, None)
    away.close()

    def decide() -> None:
        for version in (1, 2, 3):
            platform.promote(version)

    first, second = platform.follow(
        dead, alive, until=lambda _: platform.followed(alive) and len(there.calls) == 3, done=decide
    )
    assert [told["champion"] for told in there.told] == [1, 2, 3]
    assert read(platform.bus, "xray").champion == 3
    assert first.state == "waiting"
    assert "The webhook at 127.0.0.1 must answer 2xx" in first.reason
    assert "t0ps3cret" not in first.reason
    assert second.state == "ok"
    status, body = Healths([second, first]).answer()
    assert (status, json.loads(body)["state"]) == (503, "waiting")


def test_a_new_notifier_goes_on_where_the_last_one_ended(
    platform: Platform, sites: Callable[..., Site]
) -> None:
    site = sites()
    webhook = Webhook(site.url, None)
    platform.promote(1)
    platform.follow(webhook, until=lambda _: platform.followed(webhook))
    platform.promote(2)
    platform.follow(webhook, until=lambda _: platform.followed(webhook))
    assert [told["champion"] for told in site.told] == [1, 2]


def test_nothing_is_told_before_the_chain_has_it(
    platform: Platform, sites: Callable[..., Site]
) -> None:
    site, platform.archives = sites(), False
    webhook = Webhook(site.url, None)
    platform.promote(1)
    seen: list[str] = []

    def told(healths: list[Health]) -> bool:
        if healths[0].state == "waiting" and not seen:
            seen.append(healths[0].reason)
            archive(platform.bus, platform.store)
        return bool(seen) and platform.followed(webhook)

    platform.follow(webhook, until=told)
    assert "its record must be archived first. Received: nothing yet" in seen[0]
    assert [told["head"]["number"] for told in site.told] == [1]


def test_what_is_older_than_three_days_is_passed_over(
    platform: Platform, sites: Callable[..., Site]
) -> None:
    site = sites()
    platform.promote(1, at=now() - timedelta(hours=73))
    platform.promote(2)
    webhook = Webhook(site.url, None)
    platform.follow(webhook, until=lambda _: platform.followed(webhook))
    assert [told["champion"] for told in site.told] == [2]


def test_a_record_that_is_no_audit_is_passed_over(
    platform: Platform, sites: Callable[..., Site]
) -> None:
    site = sites()
    headers = Headers(schema="audit/1", created_at=now())
    platform.bus.send([Message(topic=AUDIT, key="xray", value=b"{}", headers=headers)])
    webhook = Webhook(site.url, None)
    platform.follow(webhook, until=lambda _: platform.followed(webhook))
    assert site.calls == []


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example/T0/abc",
        "http://localhost:1/x",
        "http://127.8.0.1/",
        "http://[::1]:9/",
    ],
)
def test_https_is_taken_and_http_on_loopback(url: str) -> None:
    assert Webhook(url, None).host in url


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/s3cret",
        "http://10.0.0.1/s3cret",
        "http://127.0.0.1.example/s3cret",
        "ftp://localhost/s3cret",
        "hooks.example/s3cret",
        "https:///s3cret",
    ],
)
def test_any_other_is_refused_without_its_secret(url: str) -> None:
    with pytest.raises(ConfigError, match="must be https://") as refused:
        Webhook(url, None)
    assert "s3cret" not in str(refused.value)


def test_a_key_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="SECRET_FILE must be a file"):
        Webhook("https://hooks.example", tmp_path / "none")
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(ConfigError, match="must hold a key"):
        Webhook("https://hooks.example", tmp_path / "empty")
