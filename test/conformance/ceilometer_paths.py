"""Evaluates paths by Ceilometer's own parser, and patterns by Python's `re`.

Usage: /usr/bin/python3 ceilometer_paths.py CASES.jsonl

A case is {"path": text, "data": any} or {"pattern": text, "text": text, "replacement": text}. A line of
the output is {"values": [...]}, {"matches": bool, "result": text}, {"parse_error": text} or
{"find_error": text}. Needs jsonpath-rw-ext, which Debian's python3-ceilometer brings.
"""

import contextlib
import io
import json
import logging
import re
import sys
import warnings

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)

import ply.yacc  # noqa: E402
from jsonpath_rw_ext import parser  # noqa: E402

MAKE_TABLES = ply.yacc.yacc
TABLES = {}


def tables_once(**options):
    """The library makes its LALR tables anew for each path, 20 ms; they are always the same."""
    start = options["start"]
    if start not in TABLES:
        TABLES[start] = MAKE_TABLES(**options)
    return TABLES[start]


ply.yacc.yacc = tables_once
PARSER = parser.ExtentedJsonPathParser()


def evaluate_path(case):
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            path = PARSER.parse(case["path"])
    except Exception as error:
        return {"parse_error": type(error).__name__}
    try:
        return {"values": [match.value for match in path.find(case["data"])]}
    except Exception as error:
        return {"find_error": type(error).__name__}


def evaluate_pattern(case):
    try:
        pattern = re.compile(case["pattern"])
        return {
            "matches": pattern.match(case["text"]) is not None,
            "result": pattern.sub(case["replacement"], case["text"]),
        }
    except Exception as error:
        return {"parse_error": type(error).__name__}


with open(sys.argv[1]) as cases:
    for line in cases:
        case = json.loads(line)
        result = evaluate_path(case) if "path" in case else evaluate_pattern(case)
        print(json.dumps(result, default=str))
