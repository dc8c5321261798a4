"""pack.py FOLDER NAME: packs FOLDER into an archive for krew and writes its checksum. The archive is reproducible.

It contains only files and folders, since krew refuses links. krew does not set modes, so the archive has the program's.
"""

import gzip
import hashlib
import io
import os
import sys
import tarfile
import zipfile

EPOCH = (2020, 1, 1, 0, 0, 0)


def contents(folder):
    for at, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(at, name)
            if os.path.islink(path):
                sys.exit('a link: ' + path)
            inside = os.path.relpath(path, folder).replace(os.sep, '/')
            yield inside, path, 0o755 if inside.startswith('kubectl-connect') else 0o644


def as_tar(folder, name):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode='w', format=tarfile.USTAR_FORMAT) as tar:
        for inside, path, mode in contents(folder):
            entry = tarfile.TarInfo(inside)
            entry.size, entry.mode, entry.mtime = os.path.getsize(path), mode, 1577836800
            with open(path, 'rb') as file:
                tar.addfile(entry, file)
    with open(name + '.tar.gz', 'wb') as file, gzip.GzipFile(filename='', fileobj=file, mode='wb', mtime=0) as packed:
        packed.write(buffer.getvalue())
    return name + '.tar.gz'


def as_zip(folder, name):
    with zipfile.ZipFile(name + '.zip', 'w', zipfile.ZIP_DEFLATED) as archive:
        for inside, path, mode in contents(folder):
            entry = zipfile.ZipInfo(inside, EPOCH)
            entry.create_system, entry.external_attr, entry.compress_type = 3, (0o100000 | mode) << 16, zipfile.ZIP_DEFLATED
            with open(path, 'rb') as file:
                archive.writestr(entry, file.read())
    return name + '.zip'


def main(folder, name):
    archive = (as_zip if '-windows-' in name else as_tar)(folder, name)
    with open(archive, 'rb') as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    with open(archive + '.sha256', 'w', encoding='utf-8') as file:
        file.write('{}  {}\n'.format(digest, os.path.basename(archive)))


main(*sys.argv[1:])
