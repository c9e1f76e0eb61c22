"""The network half of a client: kafka-python 3.0.12's, where a broker's silence has an end."""

from __future__ import annotations

import ssl
from functools import partial
from typing import Any

from kafka.errors import (
    KafkaConnectionError,
    NodeNotReadyError,
    SaslAuthenticationFailedError,
    UnknownBrokerIdError,
)
from kafka.net import manager
from kafka.net.compat import KafkaNetClient
from kafka.net.selector import NetworkSelector
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport


def client(**config: Any) -> KafkaNetClient:
    """Make the network half of a client."""
    net = NetworkSelector(**config)
    return KafkaNetClient(net=net, manager=_Connections(net, **config), **config)


class _Tls(KafkaSSLTransport):  # type: ignore[misc]
    """TLS whose handshake ends: a frozen broker's kernel takes connections, and nobody answers."""

    async def handshake_until(self, timeout_at: float | None) -> None:
        while True:
            try:
                self._sock.do_handshake()
            except ssl.SSLWantReadError:
                await self._net.wait_read(self._sock, timeout_at)
            except ssl.SSLWantWriteError:
                await self._net.wait_write(self._sock, timeout_at)
            else:
                return


class _Connections(manager.KafkaConnectionManager):  # type: ignore[misc]
    """Connections that no broker can keep a client waiting with.

    - A handshake that is not answered ends, and a bootstrap tries the other brokers too.
    - A broker that metadata does not list is not ready, and metadata is asked for again. What is
      raised otherwise leaves the fetcher believing that it has asked that broker: for ever.
    - A refused connection ends the bootstrap, with the broker's reason. kafka-python means to do so
      and fails twice: what comes together with the end of a connection is dropped, and a refusal is
      put into a future while only a raised one is kept.
    """

    def __init__(self, *args: Any, **config: Any) -> None:
        super().__init__(*args, **config)
        self._refused: dict[Any, SaslAuthenticationFailedError] = {}
        self._listed = self.cluster.bootstrap_brokers
        self.cluster.bootstrap_brokers = self._least_failed

    def _least_failed(self) -> list[Any]:
        """The brokers that a bootstrap may try next: it chooses one by chance."""
        listed = self._listed()
        failures = [self._backoff.get(broker.node_id, (0,))[0] for broker in listed]
        return [b for b, n in zip(listed, failures, strict=True) if n == min(failures)]

    def get_connection(self, node_id: Any, timeout_ms: Any = None, **kwargs: Any) -> Any:
        if timeout_ms is not None and self.cluster.is_bootstrap(node_id):
            timeout_ms /= len(self._least_failed())  # The others must have their share.
        try:
            made = super().get_connection(node_id, timeout_ms=timeout_ms, **kwargs)
        except UnknownBrokerIdError as error:
            self.cluster.request_update()
            raise NodeNotReadyError(node_id) from error
        made.init_future.add_errback(partial(self._remember, node_id))
        return made

    async def _build_transport(self, node: Any, timeout_at: float | None = None) -> Any:
        sock = await manager.create_connection(
            self._net, node.host, node.port, self.config["socket_options"], timeout_at=timeout_at
        )
        if not self.ssl_enabled:
            return _data_first(KafkaTCPTransport(self._net, sock, host=node.host))
        made = _Tls(self._net, sock, host=node.host, ssl_context=self.config["ssl_context"])
        try:
            await made.handshake_until(timeout_at)
        except Exception as error:
            made.close()
            raise KafkaConnectionError(f"Handshake failed: {error}") from error
        return _data_first(made)

    def maybe_raise_auth_failure(self, node_id: Any) -> None:
        super().maybe_raise_auth_failure(node_id)
        if (refused := self._refused.pop(node_id, None)) is not None:
            raise refused  # Once: the next attempt asks the broker again.

    def _remember(self, node_id: Any, error: BaseException) -> None:
        if isinstance(error, SaslAuthenticationFailedError):
            self._refused[node_id] = error


def _data_first(transport: KafkaTCPTransport) -> KafkaTCPTransport:
    receive = transport._sock_recv

    def data_first() -> tuple[bytes, Exception | None]:
        data, end = receive()
        return data, None if data else end  # The end is found again by the next look.

    transport._sock_recv = data_first
    return transport
