"""The handler of all commands: translates az's arguments for the binary, and the binary's result for az."""

import json

from knack.log import get_logger

logger = get_logger(__name__)


def run(cmd, **kwargs):
    """Runs the binary for one command."""
    from . import read_schema
    from ._binary import find
    from ._child import call
    schema = read_schema()
    command = next(one for one in schema['commands'] if one['name'] == cmd.name)
    binary = find(cmd.cli_ctx, schema['version'])
    code, output = call(cmd.cli_ctx, [binary] + words(cmd.cli_ctx, command, kwargs))
    return answer(cmd, command, code, output)


def words(cli_ctx, command, values):
    """The binary's command line. `--flag=value` is used, so that a value is never taken for a flag."""
    line = list(command['words']) + ['--output=json'] + _talk(cli_ctx)
    last = []
    for argument in command['args']:
        value = values.get(argument['dest'])
        if value is None or value is False or value == []:
            continue
        for one in value if isinstance(value, list) else [value]:
            if not argument['flag']:
                last.append(str(one))
            elif argument['kind'] == 'flag':
                line.append(argument['flag'])
            else:
                line.append('{}={}'.format(argument['flag'], one))
    return line + (['--'] + last if last else [])


def _talk(cli_ctx):
    """The binary's flags that correspond to az's logging and prompt settings."""
    level = []
    if cli_ctx.only_show_errors:
        level.append('--quiet')
    given = cli_ctx.data.get('safe_params') or []
    if '--debug' in given:
        level.append('--v=8')
    elif '--verbose' in given:
        level.append('--v=2')
    if cli_ctx.config.getboolean('core', 'disable_confirm_prompt', fallback=False):
        level.append('--no-input')
    return level


def answer(cmd, command, code, output):
    """Returns the parsed result for az to print, or raises one of az's error classes."""
    result = _parse(output)
    error = result.get('error') if isinstance(result, dict) else None
    if code and (error or result is None):
        raise_error(code, error or {})
    if code:
        # A negative result, such as a failed verification: print it, and exit with the binary's code.
        from knack.events import EVENT_CLI_SUCCESSFUL_EXECUTE
        cmd.cli_ctx.register_event(EVENT_CLI_SUCCESSFUL_EXECUTE, _exit_with(code))
    return unwrap(result) if command['returns'] else None


def _parse(output):
    try:
        return json.loads(output) if output.strip() else None
    except ValueError:
        return None


def unwrap(result):
    """Unwraps lists: az commands return lists without a wrapper object."""
    if isinstance(result, dict):
        if isinstance(result.get('items'), list) and str(result.get('kind', '')).endswith('List'):
            return result['items']
        if len(result) == 1 and isinstance(next(iter(result.values())), list):
            return next(iter(result.values()))
    return result


def _exit_with(code):
    def leave(_, **__):
        raise SystemExit(code)
    return leave


def raise_error(code, error):
    """Ends with the az error class for this code and the fixes as recommendation, keeping the exit code."""
    from azure.cli.core import azclierror as az
    classes = {2: az.ArgumentUsageError, 3: az.ResourceNotFoundError, 4: az.AuthenticationError, 5: az.ForbiddenError}
    message = error.get('message') or 'az connect ended with exit code {}'.format(code)
    if error.get('why'):
        message = '{}: {}'.format(message, error['why'])
    details = [part for part in (error.get('code'), error.get('request')) if part]
    if details:
        message = '{} ({})'.format(message, ', '.join(details))
    message = message[:1].upper() + message[1:]
    problem = classes.get(code, az.AzureResponseError)(message, recommendation=error.get('fixes') or None)
    if code in (1, 3):  # az itself exits with these codes for these classes
        raise problem
    problem.print_error()
    raise SystemExit(code)
