#!/usr/bin/env python3
"""handed_over.py LOG OBJECT-ID: whether our binary spoke to ARM, and only with tokens that az had for that principal."""

import base64
import json
import sys


def claims(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def main():
    file, wanted = sys.argv[1:3]
    seen = 0
    with open(file, encoding="utf-8") as lines:
        for entry in map(json.loads, lines):
            headers = dict(entry["request_headers"])
            if entry["host"] == "az":
                sys.exit("the stand-in for az was asked")
            if entry["host"] == "management.azure.com" and headers.get("user-agent", "").startswith("kubectl-connect/"):
                own = claims(headers["authorization"].split()[1])["oid"]
                if own != wanted:
                    sys.exit(f"{entry['method']} {entry['path']} came with a token for {own}")
                seen += 1
    print(f"{seen} requests with az's token")
    sys.exit(0 if seen else 1)


main()
