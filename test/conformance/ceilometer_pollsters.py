"""Prints the samples that Ceilometer's dynamic pollsters make of an API.

Usage: /usr/bin/python3 ceilometer_pollsters.py FILE.yaml ENDPOINTS TOKEN

Needs Ceilometer, as Debian's python3-ceilometer brings it. ENDPOINTS is JSON: URLs by service type. Each
line of the output is {"name", "samples": [...], "error": null or a text} of one pollster.
"""

import json
import logging
import sys
import warnings

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)

import requests  # noqa: E402
import yaml  # noqa: E402
from ceilometer.polling import dynamic_pollster  # noqa: E402


class Session:
    def __init__(self, token):
        self.token = token

    def get(self, url, headers=None, timeout=30, **_):
        sent = dict(headers or {}, **{"X-Auth-Token": self.token})
        answer = requests.get(url, headers=sent, timeout=timeout, allow_redirects=False)
        answer.raise_for_status()
        return answer


class Keystone:
    def __init__(self, token):
        self.session = Session(token)


class Manager:
    def __init__(self, endpoints, token):
        self.endpoints = endpoints
        self._keystone = Keystone(token)

    def discover(self, urls, _cache):
        return [self.endpoints[url.split(":", 1)[1]] for url in urls]


def plain(sample):
    return {
        "meter": sample.name,
        "type": sample.type,
        "unit": sample.unit,
        "volume": sample.volume,
        "resource_id": sample.resource_id,
        "project_id": sample.project_id,
        "user_id": sample.user_id,
        "metadata": sample.resource_metadata,
    }


def main(path, endpoints, token):
    manager = Manager(json.loads(endpoints), token)
    with open(path) as file:
        definitions = yaml.safe_load(file)
    for definition in definitions:
        result = {"name": definition["name"], "samples": [], "error": None}
        try:
            pollster = dynamic_pollster.DynamicPollster(definition, conf=None)
            resources = manager.discover([pollster.default_discovery], {})
            for sample in pollster.get_samples(manager, {}, resources):
                result["samples"].append(plain(sample))
        except Exception as error:
            result["error"] = "%s: %s" % (type(error).__name__, error)
        print(json.dumps(result))


main(*sys.argv[1:])
