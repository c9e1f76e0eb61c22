"""The bus on Kafka. Nothing else in chexnet imports Kafka's client."""

from chexnet.adapters.kafka.bus import KafkaBus

__all__ = ["KafkaBus"]
