"""Whether two runs of the sandbox end alike: what there is in Azure and the clusters, identifiers made at random aside."""

import json
import re
import sys

GUID = re.compile(r'[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}')
# Fields that depend on who acted and when.
PASSING = {'managedFields', 'resourceVersion', 'uid', 'creationTimestamp', 'generation', 'systemData', 'eTag', 'etag', 'createdOn',
           'updatedOn', 'createdBy', 'updatedBy', 'data', 'status', 'annotations'}


def plain(value):
    if isinstance(value, dict):
        return {GUID.sub('<id>', key): plain(one) for key, one in sorted(value.items()) if key not in PASSING}
    if isinstance(value, list):
        return sorted((plain(one) for one in value), key=json.dumps)
    return GUID.sub('<id>', value) if isinstance(value, str) else value


def end(file):
    with open(file, encoding='utf-8') as opened:
        return plain(json.load(opened)['after'])


def differences(one, other, at=''):
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(set(one) | set(other)):
            yield from differences(one.get(key), other.get(key), at + '/' + key)
    elif one != other:
        yield '{}: {} | {}'.format(at, json.dumps(one)[:300], json.dumps(other)[:300])


found = list(differences(*(end(file) for file in sys.argv[1:3])))
print('\n'.join(found) or 'both end alike')
sys.exit(1 if found else 0)
