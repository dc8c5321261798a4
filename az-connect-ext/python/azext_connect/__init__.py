"""az connect: the commands of this extension are those of schema.json, which the binary prints when wheels are built."""

import json
import os

from azure.cli.core import AzCommandsLoader
from knack.help_files import helps

HERE = os.path.dirname(os.path.abspath(__file__))


def read_schema():
    """The schema of the binary with which this extension was built."""
    with open(os.path.join(HERE, 'schema.json'), encoding='utf-8') as file:
        return json.load(file)


class ConnectCommandsLoader(AzCommandsLoader):
    """Registers the commands of the schema; one handler runs all of them."""

    def __init__(self, cli_ctx=None):
        from azure.cli.core.commands import CliCommandType
        super().__init__(cli_ctx=cli_ctx, custom_command_type=CliCommandType(operations_tmpl='azext_connect.custom#{}'))
        self.schema = read_schema()
        self.by_name = {command['name']: command for command in self.schema['commands']}
        for group in self.schema['groups']:
            entry = {'type': 'group', 'short-summary': group['summary']}
            if group.get('description'):
                entry['long-summary'] = group['description']
            helps[group['name']] = json.dumps(entry)
        for command in self.schema['commands']:
            entry = {'type': 'command', 'short-summary': command['summary'], 'examples': command['examples']}
            if command['description']:
                entry['long-summary'] = command['description']
            helps[command['name']] = json.dumps(entry)

    def load_command_table(self, args):
        for command in self.schema['commands']:
            group, _, verb = command['name'].rpartition(' ')
            with self.command_group(group) as commands:
                commands.custom_command(verb, 'run', table_transformer=_table(command['table']))
        return self.command_table

    def load_arguments(self, command):
        # The empty string means all commands: for help, documentation and linter.
        wanted = [self.by_name[command]] if command in self.by_name else [] if command else self.schema['commands']
        for one in wanted:
            with self.argument_context(one['name']) as context:
                for argument in one['args']:
                    context.extra(argument['dest'], options_list=argument['options'], **_settings(argument))


def _settings(argument):
    settings = {'help': argument['help'], 'required': argument['required']}
    if argument['group']:
        settings['arg_group'] = argument['group'].replace(' Arguments', '')
    if argument['choices']:
        settings['choices'] = argument['choices']
    if argument['kind'] == 'flag':
        settings['action'] = 'store_true'
    elif argument['kind'] == 'list':
        settings['nargs'] = '+'
    elif argument.get('bare'):
        settings.update(nargs='?', const=argument['bare'])
    return settings


def _table(table):
    """A transformer for `-o table`: the schema names the rows and the columns."""
    if not table:
        return None

    def transform(result):
        from collections import OrderedDict
        rows = _at(result, table['rows'])
        rows = rows if isinstance(rows, list) else [rows]
        return [OrderedDict((head, _one(row, path)) for head, path in table['columns']) for row in rows]
    return transform


def _one(row, paths):
    """The first value that there is. A path that ends with `#` means the last part of a resource id."""
    for path in paths.split('|'):
        value = _at(row, path.rstrip('#'))
        if path.endswith('#') and isinstance(value, str):
            value = value.rsplit('/', 1)[-1]
        if value is not None and not isinstance(value, (dict, list)):
            return value
    return ''


def _at(value, path):
    """The value at a JSON pointer; `*` in the pointer means every element of a list."""
    steps = [step for step in path.split('/') if step]
    for position, step in enumerate(steps):
        if step == '*':
            rest = '/'.join(steps[position + 1:])
            found = [_at(item, rest) for item in value or []]
            return [item for items in found for item in (items if isinstance(items, list) else [items])]
        value = value.get(step) if isinstance(value, dict) else None
    return value


COMMAND_LOADER_CLS = ConnectCommandsLoader
