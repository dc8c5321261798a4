"""Build hook: adds the binary named by CONNECT_BINARY to the wheel for CONNECT_PLATFORM; without it the wheel is thin."""

import json
import os

HERE = os.path.dirname(os.path.abspath(__file__))
SCHEMA = os.path.join(HERE, 'python', 'azext_connect', 'schema.json')


def _version():
    with open(SCHEMA, encoding='utf-8') as file:
        return json.load(file)['version']


# The wheel has the version of the binary that printed its schema.
VERSION = _version()

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # hatch imports this file only for VERSION
    BuildHookInterface = object


class Hook(BuildHookInterface):
    """Adds the binary to the wheel."""

    def initialize(self, version, build_data):
        binary, platform = os.environ.get('CONNECT_BINARY'), os.environ.get('CONNECT_PLATFORM')
        if not binary:
            return
        os.chmod(binary, 0o755)  # unpacking a release artifact often drops the execute bit
        name = 'az-connect.exe' if platform.startswith('win') else 'az-connect'
        build_data.update(pure_python=False, tag='py3-none-' + platform)
        build_data['force_include'][binary] = 'azext_connect/bin/' + name
