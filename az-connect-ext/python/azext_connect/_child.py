"""Runs the binary. The binary uses the terminal for plan and questions; this module reads only its result from stdout."""

import os
import subprocess
import threading


def call(cli_ctx, argv):
    """Runs the binary and returns exit code and output. While the binary runs, it may request tokens."""
    from ._session import Session
    with Session(cli_ctx) as session:
        env = dict(os.environ, **session.environment())
        # A list without a shell. Not run_cmd, which would not wait for the binary after Ctrl-C.
        with subprocess.Popen(argv, stdout=subprocess.PIPE, env=env) as child:  # pylint: disable=consider-using-with
            output = []
            reader = threading.Thread(target=lambda: output.append(child.stdout.read()), daemon=True)
            reader.start()
            code = _wait(child)
            reader.join(5)
    return 128 - code if code < 0 else code, b''.join(output).decode('utf-8', 'replace')


def _wait(child):
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            # The binary got the signal as well: it finishes the current write and reports the result.
            continue
