"""Evaluates [[expression, value], ...] of a JSON file as Ceilometer's dynamic pollsters do."""
import json
import sys
from itertools import islice

MAX_ITEMS = 10000


def encode(value, depth=0):
    """Tells whole numbers from floats, which JSON does not, and walks what can be walked."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return {"int": str(value)}
    if isinstance(value, float):
        return {"float": repr(value)}
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("keys")
        return {"dict": [[key, encode(item)] for key, item in value.items()]}
    return {"list": [encode(item) for item in islice(iter(value), MAX_ITEMS)]}


def evaluate(expression, value):
    try:
        return {"value": encode(eval(expression.strip(), {"value": value}))}
    except Exception as error:
        return {"error": type(error).__name__ + ": " + str(error)}


with open(sys.argv[1]) as cases:
    json.dump([evaluate(*case) for case in json.load(cases)], sys.stdout)
