"""What az and its reviewers hold wheels to: wheel_rules.py THIN FULL."""

import csv
import io
import json
import re
import sys
import zipfile


def check(what, holds):
    if not holds:
        sys.exit('not so: ' + what)


def look(path, thin):
    name = path.rsplit('/', 1)[-1]
    # az takes name and version from the file's name.
    check('the file name is one that az reads', re.match(r'^connect-(\d+\.\d+\.\d+)-py3-none-[\w.]+\.whl$', name))
    check('a thin wheel runs anywhere, a full one does not', name.endswith('-any.whl') == thin)
    with zipfile.ZipFile(path) as wheel:
        files = {info.filename: info for info in wheel.infolist()}
        tops = {file.split('/')[0] for file in files}
        info = next(top for top in tops if top.endswith('.dist-info'))
        check('one azext_ package and nothing beside it', tops == {'azext_connect', info})
        metadata = wheel.read(info + '/METADATA').decode()
        fields = dict(re.findall(r'^([\w-]+): (.*)$', metadata, re.M))
        check('the name is the dashed one', fields['Name'] == 'connect')
        check('the version is that of the file name', fields['Version'] == name.split('-')[1])
        check('no dependencies', 'Requires-Dist' not in metadata)
        summary = fields['Summary']
        check('the summary is a sentence of 120 to 140 characters: %d' % len(summary), 100 <= len(summary) <= 140 and summary.endswith('.'))
        check('it says nothing of extensions and command lines', not re.search('extension|azure cli|command', summary, re.I))
        check('a licence is inside', any(file.endswith('LICENSE') for file in files))
        azext = json.loads(wheel.read('azext_connect/azext_metadata.json'))
        check('the oldest az that it works with is named', re.match(r'^\d+\.\d+\.\d+$', azext['azext.minCliCoreVersion']))
        check('preview is said below 1.0 only', azext.get('azext.isPreview', False) == fields['Version'].startswith('0.'))
        check('the loader is there', 'COMMAND_LOADER_CLS' in wheel.read('azext_connect/__init__.py').decode())
        schema = json.loads(wheel.read('azext_connect/schema.json'))
        check('the schema is of this version', schema['version'] == fields['Version'])
        binaries = [file for file in files if '/bin/' in file]
        check('the program is in the full wheel alone', binaries == ([] if thin else ['azext_connect/bin/az-connect']))
        for binary in binaries:
            check('the program may be run', files[binary].external_attr >> 16 & 0o111 == 0o111)
        listed = {row[0] for row in csv.reader(io.StringIO(wheel.read(info + '/RECORD').decode()))}
        check('RECORD lists every file', listed == set(files))
        check('no link and no leftovers', not any('__pycache__' in file or info.external_attr >> 28 == 0o12 for file, info in files.items()))


look(sys.argv[1], thin=True)
look(sys.argv[2], thin=False)
print('both wheels keep the rules')
