"""sbom.py PACKAGE: reads `cargo metadata` on stdin and prints the crates of a program as CycloneDX 1.5 JSON."""

import json
import sys
import uuid


def main(name):
    metadata = json.load(sys.stdin)
    packages = {one['id']: one for one in metadata['packages']}
    nodes = {one['id']: one for one in metadata['resolve']['nodes']}
    root = next(one['id'] for one in packages.values() if one['name'] == name and one['source'] is None)
    inside, todo = set(), [root]
    while todo:
        current = todo.pop()
        if current not in inside:
            inside.add(current)
            todo += linked(nodes[current])
    text = {
        'bomFormat': 'CycloneDX', 'specVersion': '1.5', 'version': 1,
        'metadata': {'component': component(packages[root])},
        'components': [component(packages[one]) for one in sorted(inside - {root})],
        'dependencies': [{'ref': ref(packages[one]), 'dependsOn': sorted(ref(packages[other]) for other in linked(nodes[one]))}
                         for one in sorted(inside)],
    }
    # Derived from the content, so that the same crates give the same document.
    text['serialNumber'] = 'urn:uuid:{}'.format(uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(text, sort_keys=True)))
    json.dump(text, sys.stdout, indent=1)


def linked(node):
    """Dependencies of a crate, without those for builds and tests only."""
    return [one['pkg'] for one in node['deps'] if any(kind['kind'] is None for kind in one['dep_kinds'])]


def ref(package):
    return 'pkg:cargo/{}@{}'.format(package['name'], package['version'])


def component(package):
    one = {'type': 'library' if package['source'] else 'application', 'bom-ref': ref(package), 'name': package['name'],
           'version': package['version'], 'purl': ref(package)}
    if package['license']:
        one['licenses'] = [{'expression': package['license'].replace('/', ' OR ')}]
    return one


main(*sys.argv[1:])
