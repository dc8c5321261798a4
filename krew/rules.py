"""rules.py DIR: checks the manifests and archives in DIR against the rules of krew and of the reviewers of its index.

The numbers are those of krew's rules; only rules that need no krew are checked here. tests/real runs krew itself.
"""

import hashlib
import os
import re
import sys
import tarfile
import zipfile

PAIRS = {('linux', 'amd64'), ('linux', 'arm64'), ('darwin', 'amd64'), ('darwin', 'arm64'), ('windows', 'amd64'), ('windows', 'arm64')}
VERBS = ('keyvault', 'resource', 'plan', 'create', 'list', 'show', 'verify', 'doctor', 'diff', 'repair', 'refresh', 'adopt', 'tree', 'wait', 'events',
         'delete', 'services', 'explain', 'config', 'config-view', 'plan-keyvault')
RESERVED = re.compile(r'^(con|prn|aux|nul|com\d|lpt\d)$', re.I)


def check(rule, holds, what=''):
    if not holds:
        sys.exit('krew rule not kept: {} {}'.format(rule, what))


def field(text, name):
    found = re.search(r'^ *{}: (.*)$'.format(name), text, re.M)
    check('{} is there'.format(name), found)
    return found.group(1)


def block(text, name):
    found = re.search(r'^  {}: \|\n((?:    .*\n)+)'.format(name), text, re.M)
    check('{} is there'.format(name), found)
    return [line[4:] for line in found.group(1).splitlines()]


def manifest(path):
    with open(path, encoding='utf-8') as file:
        text = file.read()
    name = field(text, 'name')
    check('R1 apiVersion and kind', field(text, 'apiVersion') == 'krew.googlecontainertools.github.com/v1alpha2' and field(text, 'kind') == 'Plugin')
    check('R1 file name', os.path.basename(path) == name + '.yaml')
    check('R2 name', re.match(r'^[a-z][a-z0-9-]*$', name) and not RESERVED.match(name))
    check('R3 version', re.match(r'^v\d+\.\d+\.\d+(-[\w.]+)?$', field(text, 'version')))
    short = field(text, 'shortDescription')
    check('R4 short description', 0 < len(short) <= 50 and not re.search('kubectl|kubernetes|plugin', short, re.I), short)
    check('R5 description is wrapped', all(len(line) <= 80 for line in block(text, 'description') + block(text, 'caveats')))
    check('R5 description has no usage', not any('--' in line for line in block(text, 'description')))
    check('R6 homepage', field(text, 'homepage').startswith('https://'))
    check('nothing is left to fill in', '@' not in text)
    platforms = text.split('  platforms:\n')[1].split('  - selector:\n')[1:]
    pairs = [(field(one, 'os'), field(one, 'arch')) for one in platforms]
    check('R9 known platforms, each once', set(pairs) <= PAIRS and len(set(pairs)) == len(pairs) > 0, pairs)
    for one, (system, _) in zip(platforms, pairs):
        check('R7 selector', set(re.findall(r'^        (\w+):', one, re.M)) == {'os', 'arch'})
        check('R7 no files', 'files:' not in one)
        check('R8 sha256 quoted, lower case', re.match(r'^"[0-9a-f]{64}"$', field(one, 'sha256')))
        check('R13 program', field(one, 'bin') == 'kubectl-connect' + ('.exe' if system == 'windows' else ''))
        archive(os.path.join(os.path.dirname(path), field(one, 'uri').rsplit('/', 1)[1]), field(one, 'sha256').strip('"'), field(one, 'bin'))


def archive(path, digest, program):
    with open(path, 'rb') as file:
        data = file.read()
    check('R7 checksum', hashlib.sha256(data).hexdigest() == digest, path)
    check('R10 a zip or a gzipped tar', data[:2] in (b'\x1f\x8b', b'PK'), path)
    modes = {}
    if data[:2] == b'PK':
        with zipfile.ZipFile(path) as opened:
            for info in opened.infolist():
                check('R11 files only', info.external_attr >> 28 in (0o10, 0), info.filename)
                modes[info.filename] = info.external_attr >> 16 & 0o777
    else:
        with tarfile.open(path) as opened:
            for info in opened.getmembers():
                check('R11 files only', info.isfile() or info.isdir(), info.name)
                modes[info.name] = info.mode & 0o777
    check('R11 names stay inside', not any(name.startswith('/') or '..' in name.split('/') for name in modes))
    check('R6 the licence is inside', 'LICENSE' in modes)
    check('R12 the program may be run', modes.get(program) == 0o755, modes.get(program))
    check('R12 all else may be read', all(mode & 0o444 == 0o444 for mode in modes.values()))
    check('completions are inside', sum(name.startswith('completions/') for name in modes) == 4)
    man = {'man/kubectl-connect{}.1'.format(page) for page in [''] + ['-' + verb for verb in VERBS]}
    check('man pages are inside', man <= set(modes), sorted(man - set(modes)))
    check('nothing else is inside', all(re.match(r'^(LICENSE|{}|completions/[\w.-]+|man/[\w-]+\.1)$'.format(re.escape(program)), name) for name in modes))


for manifest_name in ('connect.yaml', 'azure-connect.yaml'):
    manifest(os.path.join(sys.argv[1], manifest_name))
print("krew's rules are kept")
