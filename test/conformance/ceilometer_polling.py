"""Prints what Ceilometer makes of sources: a list of bools for the names, or null if it refuses them.

Reads [[meters, names], ...] as JSON.
"""
import json
import sys

from ceilometer.polling import manager


def decide(meters, names):
    try:
        source = manager.PollingSource({'name': 's', 'interval': 60, 'meters': meters})
    except manager.PollingException:
        return None
    return [source.support_meter(name) for name in names]


print(json.dumps([decide(*case) for case in json.load(sys.stdin)]))
