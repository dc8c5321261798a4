"""Finds the binary: the configured one, else the one in this wheel, else one that is installed on this machine."""

import json
import os
import shutil
import subprocess


def find(cli_ctx, wanted):
    """Path of a binary that is at least as new as this extension."""
    configured = cli_ctx.config.get('connect', 'binary_path', fallback=None)
    if configured:
        return _checked(configured, wanted)
    bundled = _bundled()
    if bundled:
        return bundled
    for path in _elsewhere():
        return _checked(path, wanted)
    from azure.cli.core.azclierror import FileOperationError
    raise FileOperationError('The program that az connect runs is not installed.', recommendation=[
        'Install the extension from the wheel for this platform, which contains the program.',
        'Or install the kubectl plugin: kubectl krew install connect',
        'Or set the path of the program: az config set connect.binary_path=PATH'])


def _bundled():
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'bin')
    path = os.path.join(folder, 'az-connect.exe' if os.name == 'nt' else 'az-connect')
    if not os.path.exists(path):
        return None
    if not os.access(path, os.X_OK):
        # pip can't restore an execute bit that the builder of the wheel lost.
        os.chmod(path, 0o755)
    return path


def _elsewhere():
    krew = os.path.join(os.environ.get('KREW_ROOT') or os.path.join(os.path.expanduser('~'), '.krew'), 'bin')
    for name in ('az-connect-ext', 'kubectl-connect'):
        for path in (shutil.which(name), shutil.which(name, path=krew)):
            if path:
                yield path


def _checked(path, wanted):
    from azure.cli.core.azclierror import ValidationError
    try:
        said = subprocess.run([path, 'version', '--output=json'], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              stdin=subprocess.DEVNULL, timeout=10, check=True)
        version = json.loads(said.stdout)['version']
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        raise ValidationError('{} is not the program behind az connect.'.format(path),
                              recommendation='az config unset connect.binary_path') from error
    if _numbers(version) < _numbers(wanted):
        raise ValidationError('{} is version {}, older than this extension ({}).'.format(path, version, wanted),
                              recommendation='kubectl krew upgrade connect')
    return path


def _numbers(version):
    return [int(part) for part in version.split('-')[0].split('+')[0].split('.')[:3]]
