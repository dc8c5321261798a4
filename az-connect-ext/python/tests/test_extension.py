"""Tests the Python package with the real azure-cli-core and a fake program. CONNECT_SCHEMA names a schema printed by the real one."""

import io
import json
import os
import stat
import subprocess
import sys
import tempfile
import textwrap
import threading
import unittest
import urllib.error
import urllib.request
from contextlib import redirect_stderr, redirect_stdout
from unittest import mock

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGE = os.path.join(os.path.dirname(HERE), 'azext_connect')
FOLDER = tempfile.mkdtemp()
os.environ['AZURE_CONFIG_DIR'] = os.path.join(FOLDER, 'azure')
os.environ['AZURE_EXTENSION_DIR'] = os.path.join(FOLDER, 'extensions')
os.environ['AZURE_CORE_COLLECT_TELEMETRY'] = 'no'
EXTENSION = os.path.join(FOLDER, 'extensions', 'connect')


def install():
    """Installs the package as an az extension, with links to the sources."""
    os.makedirs(os.path.join(EXTENSION, 'azext_connect'))
    for name in os.listdir(PACKAGE):
        if name.endswith(('.py', 'metadata.json')):
            os.symlink(os.path.join(PACKAGE, name), os.path.join(EXTENSION, 'azext_connect', name))
    os.symlink(os.environ['CONNECT_SCHEMA'], os.path.join(EXTENSION, 'azext_connect', 'schema.json'))
    os.makedirs(os.path.join(EXTENSION, 'connect-0.1.0.dist-info'))
    with open(os.path.join(EXTENSION, 'connect-0.1.0.dist-info', 'METADATA'), 'w', encoding='utf-8') as file:
        file.write('Metadata-Version: 2.1\nName: connect\nVersion: 0.1.0\n')


install()
sys.path.insert(0, EXTENSION)

PROGRAM = os.path.join(FOLDER, 'program')


def program(code=0, output='', body=''):
    """Creates a fake program that records how it was called and gives the answer."""
    with open(PROGRAM, 'w', encoding='utf-8') as file:
        file.write(textwrap.dedent('''\
            #!{python}
            import json, os, sys
            if sys.argv[1:2] == ['version'] and 'AZ_CONNECT_TOKEN_KEY' not in os.environ:
                print(json.dumps({{'version': '9.0.0'}}))
                sys.exit(0)
            with open({seen!r}, 'w') as file:
                json.dump({{'argv': sys.argv[1:], 'stdin': sys.stdin.isatty(), 'env': dict(os.environ)}}, file)
            {body}
            sys.stdout.write({output!r})
            sys.exit({code})
            ''').format(python=sys.executable, seen=PROGRAM + '.seen', body=body, output=output, code=code))
    os.chmod(PROGRAM, os.stat(PROGRAM).st_mode | stat.S_IXUSR)
    os.environ['AZURE_CONNECT_BINARY_PATH'] = PROGRAM


def seen():
    with open(PROGRAM + '.seen', encoding='utf-8') as file:
        return json.load(file)


def az(*words):
    """Runs one az command in this process; returns exit code, stdout and stderr."""
    from azure.cli.core import get_default_cli
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = get_default_cli().invoke(list(words), out_file=out)
        except SystemExit as left:
            code = left.code
    return code, out.getvalue(), err.getvalue()


class Words(unittest.TestCase):
    def test_arguments_of_az_are_translated(self):
        program(output='{"kind": "Connection"}')
        code, out, _ = az('connect', 'keyvault', '-n', 'my-vault', '--cluster-name', 'aks', '--crg', 'rg', '--workload',
                          'deployment/web', '--kube-namespace', 'shop', '--yes', '--verify', 'false', '--container', 'a', 'b')
        self.assertEqual((code, json.loads(out)), (0, {'kind': 'Connection'}))
        argv = seen()['argv']
        self.assertEqual(argv[:2] + argv[-2:], ['keyvault', '--output=json', '--', 'my-vault'])
        for word in ['--aks-name=aks', '--aks-resource-group=rg', '--workload=deployment/web', '--namespace=shop', '--yes',
                     '--verify=false', '--container=a', '--container=b']:
            self.assertIn(word, argv)

    def test_service_and_verb_work_in_both_orders(self):
        program(output='{}')
        for words in (['keyvault'], ['create', 'keyvault'], ['plan', 'keyvault']):
            self.assertEqual(az('connect', *words, '-n', 'x')[0], 0)
            self.assertEqual(seen()['argv'][:len(words)], words)

    def test_every_verb_of_the_schema_reaches_the_program(self):
        with open(os.environ['CONNECT_SCHEMA'], encoding='utf-8') as file:
            commands = json.load(file)['commands']
        self.assertGreater(len(commands), 80)
        # Services share their arguments, so other tests cover one of them.
        verbs = [one for one in commands if not any('--identity' in argument['options'] for argument in one['args'])]
        self.assertGreater(len(verbs), 15)
        for command in verbs:
            program(output='{}')
            line = []
            for argument in command['args']:
                if argument['required']:
                    line += [argument['options'][0], (argument['choices'] or ['x'])[0]]
            code, _, err = az(*command['name'].split(), *line)
            self.assertEqual(code, 0, command['name'] + ': ' + err)
            self.assertEqual(seen()['argv'][:len(command['words'])], command['words'])

    def test_flags_of_single_verbs_are_translated(self):
        program(output='{}')
        for words, wanted in (
                (['keyvault', '-n', 'v', '--secret', 'a=A', 'b', '--key', 'k', '--cert', 'c', '--csi-identity', 'addon'],
                 ['--secret=a=A', '--secret=b', '--key=k', '--cert=c', '--csi-identity=addon']),
                (['storage-blob', '-n', 's', '--auth', 'secret', '--secret-store', 'keyvault:v'], ['--auth=secret', '--secret-store=keyvault:v']),
                (['adopt', '-n', 'sc-a', '--connection', 'a', '--workload', 'deployment/web', '--yes'],
                 ['--name=a', '--workload=deployment/web', '--yes', 'sc-a']),
                (['adopt'], ['adopt']),
                (['refresh', '-n', 'a', '--dry-run', 'client'], ['refresh', '--dry-run=client', 'a']),
                (['config', 'view'], ['config', 'view'])):
            self.assertEqual(az('connect', *words)[0], 0, words)
            argv = seen()['argv']
            for word in wanted:
                self.assertIn(word, argv)

    def test_settings_are_a_table(self):
        program(output=json.dumps({'path': '/x', 'items': [{'key': 'access', 'value': 'read', 'from': 'environment'}]}))
        code, out, _ = az('connect', 'config', 'view', '-o', 'table')
        self.assertEqual(code, 0)
        self.assertEqual([line.split() for line in out.splitlines()][0::2], [['Setting', 'Value', 'From'], ['access', 'read', 'environment']])

    def test_a_missing_name_and_a_wrong_choice_never_reach_the_program(self):
        program(output='{}')
        self.assertEqual(az('connect', 'keyvault')[0], 2)
        self.assertEqual(az('connect', 'keyvault', '-n', 'x', '--access', 'all')[0], 2)
        self.assertEqual(az('connect', 'keyvalt', '-n', 'x')[0], 2)

    def test_azs_logging_flags_are_passed_on(self):
        program(output='{}')
        for flag, word in (('--only-show-errors', '--quiet'), ('--verbose', '--v=2'), ('--debug', '--v=8')):
            # In a separate process, since az configures its log only once.
            line = 'import sys; from azure.cli.core import get_default_cli; sys.exit(get_default_cli().invoke(sys.argv[1:]))'
            subprocess.run([sys.executable, '-c', line, 'connect', 'services', flag], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
            self.assertIn(word, seen()['argv'])


class Results(unittest.TestCase):
    LIST = json.dumps({'kind': 'ConnectionList', 'items': [{'metadata': {'name': 'a', 'namespace': 'shop'}, 'spec': {'service': 'keyvault'}}]})

    def test_every_form_of_output_works(self):
        program(output=self.LIST)
        for form, expected in (('json', '"name": "a"'), ('yaml', 'name: a'), ('table', 'Namespace')):
            code, out, _ = az('connect', 'list', '-o', form)
            self.assertEqual(code, 0)
            self.assertIn(expected, out)
        self.assertEqual(az('connect', 'list', '--query', '[0].metadata.name', '-o', 'tsv')[1], 'a\n')
        self.assertEqual(az('connect', 'list', '-o', 'none')[1], '')

    def test_delete_returns_nothing(self):
        program(output='{"deleted": {"name": "x"}}')
        self.assertEqual(az('connect', 'delete', '-n', 'x', '--yes')[:2], (0, ''))

    def test_a_negative_result_is_printed_and_sets_the_exit_code(self):
        program(code=1, output='{"success": false, "categories": []}')
        code, out, _ = az('connect', 'verify', '-n', 'x')
        self.assertEqual((code, json.loads(out)['success']), (1, False))

    def test_errors_become_az_errors_and_keep_their_codes(self):
        for code in (1, 2, 3, 4, 5, 6, 130):
            program(code=code, output=json.dumps({'error': {'code': 'KC1301', 'message': 'there is no vault', 'why': 'none of that name',
                                                            'fixes': ['az keyvault list'], 'request': 'correlation 1'}}))
            with self.assertLogs('cli', 'ERROR') as log:
                ended, out, err = az('connect', 'show', '-n', 'x')
            self.assertEqual((ended, out), (code, ''))
            self.assertIn('There is no vault: none of that name (KC1301, correlation 1)', '\n'.join(log.output))
            self.assertIn('az keyvault list', err)

    def test_a_killed_program_gives_a_shells_exit_code(self):
        program(body='import signal; os.kill(os.getpid(), signal.SIGKILL)')
        with self.assertLogs('cli', 'ERROR'):
            self.assertEqual(az('connect', 'show', '-n', 'x')[0], 137)


class Program(unittest.TestCase):
    def test_a_missing_or_old_program_is_reported(self):
        from azext_connect import _binary
        with mock.patch.dict(os.environ, {'AZURE_CONNECT_BINARY_PATH': '', 'PATH': '/nowhere', 'KREW_ROOT': '/nowhere', 'HOME': '/nowhere'}):
            with self.assertLogs('cli', 'ERROR') as log:
                self.assertEqual(az('connect', 'services')[0], 1)
            self.assertIn('is not installed', log.output[0])
        program()
        from azure.cli.core.azclierror import ValidationError
        for bad, wanted in ((PROGRAM, '9.0.1'), ('/bin/ls', '0.1.0'), ('/nowhere/x', '0.1.0')):
            with self.assertRaises(ValidationError):
                _binary._checked(bad, wanted)

    def test_a_lost_execute_bit_is_restored(self):
        from azext_connect import _binary
        folder = os.path.join(EXTENSION, 'azext_connect', 'bin')
        os.makedirs(folder)
        path = os.path.join(folder, 'az-connect')
        with open(path, 'w', encoding='utf-8'):
            os.chmod(path, 0o644)
        try:
            with mock.patch.object(_binary, '__file__', os.path.join(folder, '..', '_binary.py')):
                self.assertTrue(os.access(_binary._bundled(), os.X_OK))
        finally:
            os.remove(path)
            os.rmdir(folder)


class Sessions(unittest.TestCase):
    def setUp(self):
        from azure.cli.core import get_default_cli
        from azext_connect._session import Session
        self.cli = get_default_cli()
        self.session = Session(self.cli)

    def ask(self, key, body=b'{"scopes": ["s"]}', path='/token', host=None):
        env = self.session.environment()
        request = urllib.request.Request(env['AZ_CONNECT_TOKEN_ENDPOINT'].replace('/token', path), data=body, headers={'Authorization': key})
        if host:
            request.add_header('Host', host)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=10) as reply:
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as error:
            return error.code, None

    def test_the_key_is_required_and_the_port_closes_afterwards(self):
        with self.session:
            key = 'Bearer ' + self.session.key
            self.assertEqual(self.ask('Bearer wrong')[0], 403)
            self.assertEqual(self.ask('')[0], 403)
            self.assertEqual(self.ask(key, host='example.com')[0], 403)
            self.assertEqual(self.ask(key, path='/other')[0], 404)
            self.assertEqual(self.ask(key, body=b'[]')[0], 400)
            self.assertEqual(self.ask(key, body=b'x' * (65 * 1024))[0], 413)
            self.assertEqual(self.session.server.server_address[0], '127.0.0.1')
        with self.assertRaises(OSError):
            self.ask(key)

    def test_a_missing_sign_in_has_a_separate_code(self):
        with self.session:
            status, body = self.ask('Bearer ' + self.session.key)
        self.assertEqual((status, body['error']['code']), (200, 'NotSignedIn'))

    def test_token_requests_are_serialised(self):
        from azure.cli.core import _profile
        busy, most = [0], [0]

        def token(_, scopes=None, subscription=None, tenant=None, **__):
            busy[0] += 1
            most[0] = max(most[0], busy[0])
            threading.Event().wait(0.05)
            busy[0] -= 1
            return ('Bearer', 't-' + scopes[0], {'expires_on': 1}), subscription, tenant
        with mock.patch.object(_profile.Profile, 'get_raw_token', token), self.session:
            answers = []
            threads = [threading.Thread(target=lambda n=n: answers.append(self.ask('Bearer ' + self.session.key, json.dumps(
                {'scopes': [str(n)], 'tenantId': 't'}).encode())[1]['token'])) for n in range(5)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.assertEqual((sorted(answers), most[0]), (['t-0', 't-1', 't-2', 't-3', 't-4'], 1))


class Rules(unittest.TestCase):
    """What az' own linter would look at."""

    def test_the_metadata_of_the_package(self):
        with open(os.path.join(PACKAGE, 'azext_metadata.json'), encoding='utf-8') as file:
            self.assertIn('azext.minCliCoreVersion', json.load(file))

    def test_an_az_that_is_too_old_refuses_the_extension(self):
        from azure.cli.core.extension import ext_compat_with_cli
        with open(os.path.join(PACKAGE, 'azext_metadata.json'), encoding='utf-8') as file:
            metadata = json.load(file)
        oldest = [int(part) for part in metadata['azext.minCliCoreVersion'].split('.')]
        before = '{}.{}.0'.format(oldest[0], oldest[1] - 1)
        for version, fits in [(before, False), (metadata['azext.minCliCoreVersion'], True), ('9.0.0', True)]:
            with mock.patch('azure.cli.core.__version__', version):
                self.assertEqual(ext_compat_with_cli(metadata)[0], fits, version)

    def test_help_of_every_group_and_command(self):
        program()
        code, out, _ = az('connect', '--help')
        self.assertEqual(code, 0)
        self.assertIn('keyvault', out)
        with open(os.environ['CONNECT_SCHEMA'], encoding='utf-8') as file:
            schema = json.load(file)
        for one in schema['groups'] + schema['commands'][:2] + schema['commands'][-2:]:
            code, out, _ = az(*one['name'].split(), '--help')
            self.assertEqual(code, 0)
            self.assertIn(one['summary'].rstrip('.')[:30], ' '.join(out.split()))

    def test_importing_the_package_is_cheap(self):
        line = 'import sys; before = set(sys.modules); import azext_connect; print(len(set(sys.modules) - before))'
        loaded = subprocess.run([sys.executable, '-c', 'import azure.cli.core; ' + line], stdout=subprocess.PIPE, check=True,
                                env=dict(os.environ, PYTHONPATH=EXTENSION)).stdout
        self.assertLess(int(loaded), 30)


if __name__ == '__main__':
    unittest.main()
