"""manifests.py TEMPLATES DIR VERSION HOMEPAGE: writes the krew manifests for the archives in DIR."""

import glob
import os
import re
import sys

PLATFORM = '''\
  - selector:
      matchLabels:
        os: {os}
        arch: {arch}
    uri: {homepage}/releases/download/v{version}/{archive}
    sha256: "{digest}"
    bin: {program}
'''


def main(templates, out, version, homepage):
    platforms = []
    for file in sorted(glob.glob(os.path.join(out, 'kubectl-connect-v{}-*.sha256'.format(version)))):
        with open(file, encoding='utf-8') as opened:
            digest, archive = opened.read().split()
        system, arch = re.match(r'.*-(linux|darwin|windows)-(amd64|arm64)\.', archive).groups()
        platforms.append(PLATFORM.format(os=system, arch=arch, homepage=homepage, version=version, archive=archive, digest=digest,
                                         program='kubectl-connect' + ('.exe' if system == 'windows' else '')))
    if not platforms:
        sys.exit('no archives of version {} in {}'.format(version, out))
    for name in ('connect.yaml', 'azure-connect.yaml'):
        with open(os.path.join(templates, name), encoding='utf-8') as file:
            text = file.read()
        text = text.replace('@VERSION@', version).replace('@HOMEPAGE@', homepage).replace('@PLATFORMS@\n', ''.join(platforms))
        with open(os.path.join(out, name), 'w', encoding='utf-8') as file:
            file.write(text)


main(*sys.argv[1:])
