"""Starts the binary. It keeps the terminal for the plan and its questions; only its result is read from it."""

import os
import subprocess
import threading


def call(cli_ctx, argv):
    """Exit code and output. The binary may ask for tokens as long as it runs."""
    from ._session import Session
    with Session(cli_ctx) as session:
        env = dict(os.environ, **session.environment())
        # A list and no shell; not run_cmd, which would not wait for the binary after Ctrl-C.
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
            # The binary got it as well: it finishes what it is writing and says how it ended.
            continue
