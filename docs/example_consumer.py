"""A whole backend: each event is stored once, then acknowledged. example_consumer.py HOST PORT FILE [CA CERT KEY]."""

import json
import sqlite3
import sys
from typing import Any

import paho.mqtt.client as mqtt

host, port, file, *papers = sys.argv[1:]
db = sqlite3.connect(file, check_same_thread=False)  # paho calls back in one thread
db.execute("CREATE TABLE IF NOT EXISTS event (source TEXT, id TEXT, type TEXT, data TEXT, PRIMARY KEY (source, id))")


def subscribe(client: mqtt.Client, *_: Any) -> None:
    """At each connection."""
    client.subscribe([(f"ronde/v1/+/+/{stream}", 1) for stream in ("birth", "finding", "track", "health")])


def store(client: mqtt.Client, _: Any, message: mqtt.MQTTMessage) -> None:
    """First the commit, then the acknowledgement."""
    _, _, fleet, unit, _ = message.topic.split("/")
    try:
        event = json.loads(message.payload)
        row = (f"/ronde/{fleet}/{unit}", str(event["id"]), str(event["type"]), json.dumps(event["data"]))
    except (ValueError, KeyError, TypeError):
        return  # a backend that means it answers "refused" where there is an id: else the unit sends this again and again
    with db:  # on the disk when the block is left
        db.execute("INSERT OR IGNORE INTO event VALUES (?, ?, ?, ?)", row)
    client.publish(f"ronde/v1/{fleet}/{unit}/ack", json.dumps({"acked": [event["id"]], "refused": []}), qos=1)


client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "example-consumer", protocol=mqtt.MQTTv5)
client.on_connect, client.on_message = subscribe, store
if papers:
    client.tls_set(*papers)
client.connect(host, int(port), clean_start=True)
client.loop_forever()
