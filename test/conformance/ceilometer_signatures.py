"""Ceilometer's own signatures.

Reads a JSON list of {"message": text, "secret": text}, prints for each as JSON what Ceilometer makes of
the message: its signature, whether it verifies as it stands, and its text after a signed round trip.
"""
import json
import sys

from ceilometer.publisher import utils

answers = []
for task in json.load(sys.stdin):
    message = json.loads(task["message"])
    secret = task["secret"]
    signature = utils.compute_signature(message, secret)
    answers.append({
        "signature": signature,
        "verifies": utils.verify_signature(message, secret),
        "signed": json.dumps(dict(message, message_signature=signature)),
    })
json.dump(answers, sys.stdout)
