"""The reference backend: what arrives over MQTT, stored once and acknowledged."""

from sync.receiver.service import ReceiverRefused, run_receiver

__all__ = ["ReceiverRefused", "run_receiver"]
