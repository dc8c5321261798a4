#!/usr/bin/env python3
"""compare.py BY-HAND OURS: whether two runs in the sandbox end in the same Azure, from the files that --state wrote.

Compared is what the runs changed, by meaning. What that leaves out, and why:

- Names and tags of identities and credentials, and ids that Azure makes up: each run has its own. An identity is called by
  the workload that its credentials let in, so that two runs' identities meet; its client and principal id by that name.
- The name of the service account: the subject is read as `the account of deployment/web` where the pods of that deployment
  run as that account, which is looked up in the cluster. Another account, or one without the identity's id, stays as it is.
- Of the cluster, only the two features count: az sends it back as az understands it, and loses other values on the way.
  Where our command changes anything else there, that is said and counts as a difference; null and absent are the same.
- What only we make for ourselves inside the cluster (the record, the variables) is no part of Azure.

Prints one line per resource and ends with 1 where there is a difference.
"""

import json
import sys

FEATURES = {
    "OIDC issuer": ("properties", "oidcIssuerProfile"),
    "workload identity": ("properties", "securityProfile", "workloadIdentity"),
}


def without_nulls(value):
    """A cluster answers null for what is not set; a PUT must leave such members out, and absent means the same."""
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None} or None
    if isinstance(value, list):
        return [without_nulls(inner) for inner in value]
    return value


def at(body, path):
    for key in path:
        body = (body or {}).get(key)
    return body


def without_features(body):
    body = json.loads(json.dumps(body))
    body["properties"].pop("oidcIssuerProfile", None)
    (body["properties"].get("securityProfile") or {}).pop("workloadIdentity", None)
    return body


def objects(state, kind):
    """The kube objects of a kind by (cluster, namespace, name)."""
    found = {}
    for key, body in state.items():
        if key.startswith("kube  ") and body.get("kind") == kind:
            metadata = body["metadata"]
            found[key.split()[1], metadata.get("namespace"), metadata["name"]] = body
    return found


def lets_in(after, subject, client):
    """A subject by what it means: the workload whose pods run as the account that is tied to the identity."""
    parts = subject.split(":")
    if parts[:2] != ["system", "serviceaccount"] or len(parts) != 4:
        return subject
    _, _, namespace, account = parts
    for (cluster, own, name), body in sorted(objects(after, "Deployment").items()):
        template = body["spec"]["template"]
        labels = template["metadata"].get("labels") or {}
        runs = own == namespace and template["spec"].get("serviceAccountName", "default") == account
        tied = objects(after, "ServiceAccount").get((cluster, own, account), {}).get("metadata", {}).get("annotations") or {}
        if (
            runs
            and labels.get("azure.workload.identity/use") == "true"
            and tied.get("azure.workload.identity/client-id") == client
        ):
            return f"the account of deployment/{name} in {own}"
    return subject


def meaning(file):
    """What a run changed: {resource: what it is like}, and what it changed of clusters beside the features."""
    with open(file, encoding="utf-8") as text:
        both = json.load(text)
    before, after = both["before"], both["after"]
    changed = {key: body for key, body in after.items() if not key.startswith("kube") and before.get(key) != body}
    result = {f"gone: {key}": "" for key in before if not key.startswith("kube") and key not in after}
    names, extra = {}, []

    def kind_of(body):
        return str(body.get("type", "")).lower()

    credentials = [body for body in changed.values() if kind_of(body).endswith("/federatedidentitycredentials")]
    identities = [body for body in changed.values() if kind_of(body) == "microsoft.managedidentity/userassignedidentities"]
    for body in identities:
        own, client = body["id"].lower(), body["properties"]["clientId"]
        mine = [one for one in credentials if one["id"].lower().startswith(own + "/")]
        subjects = sorted(lets_in(after, one["properties"]["subject"], client) for one in mine)
        name = f"identity for {' and '.join(subjects) or 'nobody'}"
        if name in result:
            name += f" (another, {len(names) + 1})"
        names[body["properties"]["principalId"]] = name
        result[name] = {
            "group": own.split("/")[4],
            "location": body["location"],
            "tenant": body["properties"]["tenantId"],
            "isolation": body["properties"].get("isolationScope"),
        }
        for number, one in enumerate(sorted(mine, key=lambda one: one["properties"]["subject"]), 1):
            properties = dict(one["properties"], subject=lets_in(after, one["properties"]["subject"], client))
            result[f"{name}, credential {number}"] = properties
    for key, body in changed.items():
        kind = kind_of(body)
        if kind == "microsoft.containerservice/managedclusters":
            for feature, path in FEATURES.items():
                result[f"cluster {body['name']}, {feature}"] = at(body, path)
            if without_nulls(without_features(before[key])) != without_nulls(without_features(body)):
                extra.append(body["name"])
        elif key.startswith("role "):
            who = names.get(body["principalId"], body["principalId"])
            result[f"role of {who} at {body['scope'].lower()}: {body['role']}"] = "assigned"
        elif body not in credentials and body not in identities:
            result[f"{kind or 'object'} {key}"] = body
    return result, extra


def main():
    (by_hand, _), (ours, extra) = (meaning(file) for file in sys.argv[1:3])
    different = 0
    for name in sorted(by_hand | ours):
        a, b = (json.dumps(of[name], sort_keys=True) if name in of else None for of in (by_hand, ours))
        if a == b:
            print(f"same       {name}: {a}")
        else:
            different += 1
            print(f"DIFFERENT  {name}\n    by hand  {a}\n    ours     {b}")
    for cluster in extra:
        different += 1
        print(f"DIFFERENT  cluster {cluster}: our command changed more than the two features")
    if not by_hand:
        different += 1
        print("DIFFERENT  nothing was done by hand: there is nothing to compare")
    sys.exit(1 if different else 0)


main()
