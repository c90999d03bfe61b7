"""Messages of Ceilometer's own agents, and the samples that its notification agent makes of them.

Prints one JSON line a message: {"secret", "message": text as on the wire, "samples"}. The same each time.
"""
import json
import types

from ceilometer import sample
from ceilometer.publisher import utils
from ceilometer.telemetry import notifications
from oslo_messaging._drivers import common

SECRET = "night-shift-7f"
METADATA = {
    "display_name": "sp\u00e4ti \u2603", "host": "compute-1", "flavor": {"ram": 4096, "disk": 20.0},
    "tags": ["it's", 1, 2.5, None, True, {"b": [], "a": {}}], "empty": {}, "ratio": 1e-05,
}


def make(number, name, type_, unit, volume, **changes):
    fields = dict(
        user_id="u1", project_id="p%d" % (number % 2), resource_id="vm-%d" % number,
        timestamp="2026-01-31T23:59:%02d.123456+00:00" % number, resource_metadata=METADATA,
        source="openstack", id="5460acce-4fd6-11f1-ab18-%012x" % number)
    fields.update(changes)
    return sample.Sample(name, type_, unit, volume, **fields)


POLLED = [
    make(1, "cpu", "cumulative", "ns", 9007199254740993, monotonic_time=81234.56789),
    make(2, "cpu", "cumulative", "ns", 12.0, user_id=None),
    make(3, "memory.usage", "gauge", "MB", 0.1 + 0.2, resource_metadata={}),
    make(4, "disk.device.read.bytes", "delta", "B", 0, project_id=None, resource_metadata=None),
    make(5, "power", "gauge", "W", 1e+22),
]


def message(event_type, samples, secret):
    signed = [utils.meter_message_from_counter(one, secret) for one in samples]
    return {
        "message_id": "0c5ad2a0-0000-4000-8000-%012x" % len(event_type),
        "publisher_id": "ceilometer.polling", "event_type": event_type, "priority": "SAMPLE",
        "payload": {"samples": signed} if event_type == "telemetry.polling" else signed,
        "timestamp": "2026-02-01 00:00:00.000001",
    }


def built(msg):
    if msg["event_type"] != "telemetry.polling":
        return None
    # Its __init__ wants a manager and a configuration, which build_sample never looks at.
    endpoint = types.SimpleNamespace()
    return [
        {"name": one.name, "type": one.type, "unit": one.unit, "volume": one.volume,
         "user_id": one.user_id, "project_id": one.project_id, "resource_id": one.resource_id,
         "timestamp": one.timestamp, "resource_metadata": one.resource_metadata}
        for one in notifications.TelemetryIpc.build_sample(endpoint, msg)
    ]


for kind, secret in [
        ("telemetry.polling", SECRET), ("metering", SECRET), ("telemetry.polling", "")]:
    sent = message(kind, POLLED, secret)
    wire = json.dumps(common.serialize_msg(sent))
    received = common.deserialize_msg(json.loads(wire))
    print(json.dumps({"secret": secret, "message": wire, "samples": built(received)}))
