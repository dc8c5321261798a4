"""Holds the running webhook to the mutations that were recorded from a real one.

    recorded_mutations.py WEBHOOK-URL CA-FILE RECORDING.json

Each recorded pod is sent as the API server would send it, to the webhook itself: the API server would refuse some of them
before the webhook saw them. The service accounts of the recording must exist in the namespace `shop`. Prints one line a
case; exits with 1 if one came out otherwise.
"""

import base64
import json
import ssl
import sys
import urllib.request
import uuid


def main(url, ca_file, recording):
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca_file)),
    )
    with open(recording, encoding="utf-8") as file:
        cases = json.load(file)["cases"]
    failed = 0
    for case in cases:
        wanted, got = expected(case), review(opener, url, case["before"])
        if same(wanted, got):
            print("same:", case["name"])
        else:
            failed += 1
            print("differs:", case["name"], "\n  wanted", json.dumps(wanted), "\n  got   ", json.dumps(got))
    return 1 if failed or not cases else 0


def same(wanted, got):
    """A refusal may say more than the recorded one: the API server of the recording was terse about what it has not."""
    if "message" in wanted and "message" in got:
        return wanted["code"] == got["code"] and got["message"].endswith(wanted["message"])
    return wanted == got


def expected(case):
    if case["allowed"]:
        return without_empty(case["after"])
    return {"code": case["code"], "message": case["message"]}


def review(opener, url, pod):
    body = {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": str(uuid.uuid4()),
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": "shop",
            "operation": "CREATE",
            "userInfo": {},
            "object": pod,
        },
    }
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with opener.open(request, timeout=10) as answer:
        response = json.load(answer)["response"]
    if not response["allowed"]:
        return {"code": response["status"]["code"], "message": response["status"]["message"]}
    patched = json.loads(json.dumps(pod))
    for operation in json.loads(base64.b64decode(response.get("patch", "W10="))):
        apply(patched, operation)
    return without_empty(patched)


def apply(document, operation):
    """One operation of a JSON patch: the three kinds that an admission webhook's answer is made of."""
    *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
    target = document
    for part in parents:
        target = target[int(part)] if isinstance(target, list) else target[part]
    kind = operation["op"]
    if kind not in ("add", "replace", "remove"):
        raise ValueError(f"unknown operation {kind}")
    if isinstance(target, dict):
        if kind == "remove":
            del target[last]
        else:
            target[last] = operation["value"]
    elif kind == "remove":
        del target[int(last)]
    elif kind == "replace":
        target[int(last)] = operation["value"]
    else:
        target.insert(len(target) if last == "-" else int(last), operation["value"])


def without_empty(value):
    """Go leaves out, or writes, what is empty (creationTimestamp, status, resources) as its types have it."""
    if isinstance(value, dict):
        kept = {key: without_empty(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item not in (None, {}, [])}
    if isinstance(value, list):
        return [without_empty(item) for item in value]
    return value


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
