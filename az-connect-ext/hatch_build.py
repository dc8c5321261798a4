"""Makes a wheel with the binary inside where CONNECT_BINARY and CONNECT_PLATFORM say so, else a thin one."""

import json
import os

HERE = os.path.dirname(os.path.abspath(__file__))
SCHEMA = os.path.join(HERE, 'python', 'azext_connect', 'schema.json')


def _version():
    with open(SCHEMA, encoding='utf-8') as file:
        return json.load(file)['version']


# The wheel is as old as the binary whose schema it holds.
VERSION = _version()

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # read for its version alone
    BuildHookInterface = object


class Hook(BuildHookInterface):
    """Adds the binary."""

    def initialize(self, version, build_data):
        binary, platform = os.environ.get('CONNECT_BINARY'), os.environ.get('CONNECT_PLATFORM')
        if not binary:
            return
        os.chmod(binary, 0o755)  # an unpacked release artifact often lost the bit
        name = 'az-connect.exe' if platform.startswith('win') else 'az-connect'
        build_data.update(pure_python=False, tag='py3-none-' + platform)
        build_data['force_include'][binary] = 'azext_connect/bin/' + name
