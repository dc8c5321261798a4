"""Gives tokens of az's sign-in to the binary, through a loopback endpoint with a key for this run.

Token requests are serialised by a lock. MSAL's cache lock does not work for threads of one process: without the lock
up to half of the concurrent requests fail after 20 seconds.
"""

import hmac
import json
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LARGEST = 64 * 1024


class Session:
    """A token endpoint that exists while the `with` block runs."""

    def __init__(self, cli_ctx):
        self.cli_ctx = cli_ctx
        self.key = secrets.token_urlsafe(32)
        self.lock = threading.Lock()
        self.server = None

    def __enter__(self):
        self.server = ThreadingHTTPServer(('127.0.0.1', 0), _handler(self))
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={'poll_interval': 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def environment(self):
        """Environment variables for the child process; no other process gets them."""
        env = {'AZ_CONNECT_TOKEN_ENDPOINT': 'http://127.0.0.1:{}/token'.format(self.server.server_port),
               'AZ_CONNECT_TOKEN_KEY': self.key}
        subscription = self.cli_ctx.data.get('subscription_id')
        if subscription:
            env['AZ_CONNECT_SUBSCRIPTION'] = subscription
        return env

    def answer(self, body):
        """The answer to a token request: a token or an error."""
        with self.lock:
            try:
                return self._token(body)
            except Exception as error:  # pylint: disable=broad-except
                return {'error': self._explained(error)}

    def _token(self, body):
        from azure.cli.core._profile import Profile
        profile, tenant = Profile(cli_ctx=self.cli_ctx), body.get('tenantId')
        subscription = self.cli_ctx.data.get('subscription_id') if not tenant else _of_tenant(profile, tenant)
        if subscription:
            tenant = None  # az accepts only one of the two
        token, subscription, tenant = profile.get_raw_token(scopes=body['scopes'], subscription=subscription, tenant=tenant)
        return {'token': token[1], 'expiresOn': token[2]['expires_on'], 'subscriptionId': subscription, 'tenantId': tenant}

    def _explained(self, error):
        from azure.cli.core._profile import Profile
        from azure.cli.core.azclierror import AuthenticationError
        message = str(error).strip().split('\n')[0][:500]
        if isinstance(error, AuthenticationError):
            fixes = [line for line in getattr(error, 'recommendations', None) or [] if line]
            return {'code': 'SignInAgain', 'message': message, 'recommendation': fixes[0] if fixes else None}
        if not Profile(cli_ctx=self.cli_ctx).load_cached_subscriptions():
            return {'code': 'NotSignedIn', 'message': message}
        return {'code': type(error).__name__, 'message': message}


def _of_tenant(profile, tenant):
    """A subscription of the tenant, preferably the active one: managed identities and Cloud Shell don't accept `tenant`."""
    found = [one for one in profile.load_cached_subscriptions() if one['tenantId'].lower() == tenant.lower()]
    found.sort(key=lambda one: not one.get('isDefault'))
    # An account without a subscription has its tenant's id in place of a subscription id.
    return found[0]['id'] if found and found[0]['id'] != found[0]['tenantId'] else None


def _handler(session):
    class Handler(BaseHTTPRequestHandler):
        """Answers POST /token if the request has the key."""

        def do_POST(self):  # pylint: disable=invalid-name
            length = self.headers.get('Content-Length', '')
            port = self.server.server_port
            if not hmac.compare_digest(self.headers.get('Authorization', '').encode(), ('Bearer ' + session.key).encode()):
                return self._send(403)
            if self.headers.get('Host') != '127.0.0.1:{}'.format(port):
                return self._send(403)
            if self.path != '/token':
                return self._send(404)
            if not length.isdigit() or int(length) > LARGEST:
                return self._send(413)
            try:
                body = json.loads(self.rfile.read(int(length)))
            except ValueError:
                return self._send(400)
            if not isinstance(body, dict) or not isinstance(body.get('scopes'), list):
                return self._send(400)
            return self._send(200, session.answer(body))

        def _send(self, status, body=None):
            data = json.dumps(body or {}).encode()
            self.send_response(status)
            self.send_header('Content-Type', 'application/json')
            self.send_header('Content-Length', str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format, *args):  # pylint: disable=redefined-builtin
            """Logs nothing: requests and tokens must not appear in a log."""
    return Handler
