"""Prints the samples that Ceilometer itself makes of recorded notifications.

Usage: /usr/bin/python3 ceilometer_samples.py (DEFINITIONS.yaml NOTIFICATIONS.jsonl)...

Needs Ceilometer and oslo.messaging, as Debian's python3-ceilometer brings them. Each line of the input
is the body of a RabbitMQ message, or an object whose `body` is that text. Each line of the output is
{"samples": [...], "endpoints": [...], "dropped": n, "error": null or a text}: `endpoints` are the samples
of what Ceilometer has in code instead of definitions (audit middleware, ironic's sensors), `dropped`
counts samples whose volume the pipeline refuses, `error` is the exception that makes Ceilometer lose the
whole notification.

The notification goes through the code that it goes through in production: oslo.messaging takes off its
envelope and context, Ceilometer's endpoint makes samples, Ceilometer's pipeline checks volumes.
"""

import contextlib
import io
import json
import logging
import os
import re
import sys
import tempfile
import warnings

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)

import ply.yacc  # noqa: E402
from ceilometer import middleware, service  # noqa: E402
from ceilometer.ipmi.notifications import ironic  # noqa: E402
from ceilometer.meter import notifications as meter_notifications  # noqa: E402
from ceilometer.pipeline import sample as sample_pipeline  # noqa: E402
from oslo_messaging._drivers import amqp as oslo_amqp  # noqa: E402
from oslo_messaging._drivers import common as oslo_common  # noqa: E402

MAKE_TABLES = ply.yacc.yacc
TABLES = {}


def tables_once(**options):
    """The path library makes its LALR tables anew for each path, 20 ms; they are always the same."""
    start = options["start"]
    if start not in TABLES:
        TABLES[start] = MAKE_TABLES(**options)
    return TABLES[start]


ply.yacc.yacc = tables_once
FIELDS = (
    "name", "type", "unit", "volume", "user_id", "project_id", "resource_id", "timestamp",
)
CODED = (
    middleware.HTTPRequest, middleware.HTTPResponse, ironic.TemperatureSensorNotification,
    ironic.CurrentSensorNotification, ironic.FanSensorNotification,
    ironic.VoltageSensorNotification,
)


def user_message(body):
    """What oslo.messaging hands to an endpoint: its dispatcher's _extract_user_message."""
    message = oslo_common.deserialize_msg(json.loads(body))
    ctxt = oslo_amqp.unpack_context(message)
    return message.get("priority", "").lower(), {
        "ctxt": ctxt.to_dict(),
        "publisher_id": message.get("publisher_id"),
        "event_type": message.get("event_type"),
        "payload": message.get("payload"),
        "metadata": {
            "message_id": message.get("message_id"),
            "timestamp": message.get("timestamp"),
        },
    }


def as_dict(sample):
    return dict(
        {field: getattr(sample, field) for field in FIELDS}, metadata=sample.resource_metadata)


def samples_of(endpoint, coded, pipeline, body):
    answer = {"samples": [], "endpoints": [], "dropped": 0, "error": None}
    priority, message = user_message(body)
    if priority not in ("info", "sample"):
        return answer
    try:
        made = list(endpoint.build_sample(message))
        kept = [one for one in made if pipeline._validate_volume(one)]
    except Exception as error:
        return dict(answer, error="%s: %s" % (type(error).__name__, error))
    matching = [
        other for other in coded
        if any(re.match(pattern, message["event_type"]) for pattern in other.event_types)]
    return {
        "samples": [as_dict(one) for one in kept],
        "endpoints": [as_dict(one) for other in matching for one in other.build_sample(message)],
        "dropped": len(made) - len(kept),
        "error": None,
    }


def answer_all(definitions, notifications):
    conf = service.prepare_service([], [])
    with tempfile.TemporaryDirectory() as directory:
        with open(definitions) as source, open(os.path.join(directory, "a.yaml"), "w") as copy:
            copy.write(source.read())
        conf.set_override("meter_definitions_dirs", [directory], group="meter")
        # jsonpath-rw-ext prints each `sub` that it parses.
        with contextlib.redirect_stdout(io.StringIO()):
            endpoint = meter_notifications.ProcessMeterNotifications(conf, None)
    coded = [kind(conf, None) for kind in CODED]
    pipeline = sample_pipeline.SamplePipeline.__new__(sample_pipeline.SamplePipeline)
    with open(notifications) as lines:
        for line in lines:
            record = json.loads(line)
            body = record["body"] if "body" in record else line
            answer = samples_of(endpoint, coded, pipeline, body)
            print(json.dumps(answer, sort_keys=True, default=str))


for at in range(1, len(sys.argv), 2):
    answer_all(*sys.argv[at:at + 2])
