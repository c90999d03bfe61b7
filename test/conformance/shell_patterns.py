"""Reads [[pattern, name], ...] as JSON and prints what fnmatch says of each: true, false, or null."""
import fnmatch
import json
import re
import sys


def matches(pattern, name):
    try:
        return fnmatch.fnmatchcase(name, pattern)
    except re.error:
        return None


print(json.dumps([matches(*pair) for pair in json.load(sys.stdin)]))
