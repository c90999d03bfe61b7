"""Reads expositions by Python's prometheus_client.

Usage: /usr/bin/python3 -I exposition_texts.py CASES.jsonl

A case is {"format": "prometheus" or "openmetrics", "text": text}. A line of the output is
{"error": text} or {"families": [{name, type, unit, help, samples: [{name, labels, value, timestamp,
exemplar}]}]}, with numbers as Python writes them.
"""

import json
import sys

from prometheus_client import parser
from prometheus_client.openmetrics import parser as strict_parser


def number(value):
    return None if value is None else repr(value)


def timestamp(value, format):
    """Microseconds."""
    if value is None:
        return None
    if format == "openmetrics" and hasattr(value, "sec"):
        return str(value.sec * 1000000 + value.nsec // 1000)
    return str(round(float(value) * 1000000))


def sample_of(sample, format):
    exemplar = getattr(sample, "exemplar", None)
    return {
        "name": sample.name,
        "labels": sample.labels,
        "value": number(sample.value),
        "timestamp": timestamp(sample.timestamp, format),
        "exemplar": exemplar
        and {
            "labels": exemplar.labels,
            "value": number(exemplar.value),
            "timestamp": timestamp(exemplar.timestamp, format),
        },
    }


def read(case):
    format = case["format"]
    source = strict_parser if format == "openmetrics" else parser
    try:
        families = list(source.text_string_to_metric_families(case["text"]))
    except Exception as error:  # Its parser raises whatever comes to hand: KeyError, IndexError.
        return {"error": f"{type(error).__name__}: {error}"}
    return {
        "families": [
            {
                "name": family.name,
                "type": family.type,
                "unit": family.unit,
                "help": family.documentation,
                "samples": [sample_of(sample, format) for sample in family.samples],
            }
            for family in families
        ]
    }


with open(sys.argv[1], encoding="utf-8") as lines:
    for line in lines:
        print(json.dumps(read(json.loads(line))))
