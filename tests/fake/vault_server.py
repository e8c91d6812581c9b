#!/usr/bin/env python3
# A stand-in for HashiCorp Vault and OpenBao, for tests of everything that reads secrets from one.
#
# In a test: FakeVault().start(), then .address, .root, .put(...), .down(), .up(), .seen. By itself: vault_server.py
# [--port N] [--token T], which prints its address. Engines: secret/ (KV 2), kv1/ (KV 1), transit/ (key "app"),
# database/ (dynamic credentials at creds/app). Logins: auth/approle (role id "role", secret id "secret"), and
# auth/kubernetes (role "penstock", any JWT that ends in ".good").
#
# Besides Vault's own API, without a token:
#   POST /_control/put    {"path": "secret/app", "data": {…}}   a new version of a secret, or with null: deletes it
#   POST /_control/set    {"ttl": S, "max_ttl": S, "lease": S, "sealed": B, "denied": ["secret/app", …]}
#   POST /_control/encrypt {"plaintext": "…"}                  a ciphertext for transit/decrypt/app
#   POST /_control/revoke                                       every token that was given by a login is forgotten
#   POST /_control/down   {"seconds": S}                        connections are refused for that long
#   GET  /_control/seen                                         the requests so far; POST /_control/reset forgets them
import argparse
import base64
import hashlib
import json
import secrets
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

MAX_BODY = 32 * 1024 * 1024


class Refused(Exception):
    """An answer that is an error: status, and what Vault says."""

    def __init__(self, status, *errors):
        super().__init__(status, *errors)
        self.status, self.errors = status, list(errors)


class Token:
    def __init__(self, name, ttl, max_ttl, renewable):
        self.name, self.ttl, self.renewable = name, ttl, renewable
        self.born = self.since = time.monotonic()
        self.max_ttl = max_ttl

    def left(self):
        """Seconds, or None without end."""
        return None if not self.ttl else self.since + self.ttl - time.monotonic()

    def renew(self):
        self.since = time.monotonic()
        if self.max_ttl:
            self.ttl = max(0, min(self.ttl, int(self.born + self.max_ttl - self.since)))

    def auth(self):
        return {'client_token': self.name, 'accessor': secrets.token_hex(12), 'policies': ['default', 'penstock'],
                'token_policies': ['default', 'penstock'], 'metadata': {}, 'lease_duration': self.ttl,
                'renewable': self.renewable, 'entity_id': '', 'token_type': 'service', 'orphan': True,
                'mfa_requirement': None, 'num_uses': 0}


def now_text():
    return time.strftime('%Y-%m-%dT%H:%M:%S.000000000Z', time.gmtime())


class Secret:
    """One path of a KV 2 engine: its versions, of which the newest may be deleted."""

    def __init__(self):
        self.versions = []

    def add(self, data):
        self.versions.append({'data': data, 'created': now_text(), 'deleted': ''})
        return self.metadata(len(self.versions))

    def metadata(self, version):
        entry = self.versions[version - 1]
        return {'created_time': entry['created'], 'custom_metadata': None, 'deletion_time': entry['deleted'],
                'destroyed': False, 'version': version}

    def read(self, version):
        version = version or len(self.versions)
        if not 0 < version <= len(self.versions):
            raise Refused(404)
        entry = self.versions[version - 1]
        return {'data': None if entry['deleted'] else entry['data'], 'metadata': self.metadata(version)}


class Request(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    server_version = 'fake-vault'

    def log_message(self, *args):
        pass

    def setup(self):
        super().setup()
        self.server.vault.connections.add(self.connection)

    def finish(self):
        self.server.vault.connections.discard(self.connection)
        super().finish()

    def do(self):
        length = int(self.headers.get('Content-Length') or 0)
        if length > MAX_BODY:
            self.close_connection = True
            self.send(413, {'errors': ['http: request body too large']})
            return
        status, body = self.server.vault.answer(self.command, self.path, self.headers, self.rfile.read(length))
        self.send(status, body)

    do_GET = do_POST = do_PUT = do_DELETE = do

    def send(self, status, body):
        data = b'' if body is None else json.dumps(body).encode() + b'\n'
        self.send_response(status)
        if data:
            self.send_header('Content-Type', 'application/json')
        self.send_header('Cache-Control', 'no-store')
        if status != 204:
            self.send_header('Content-Length', str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request, client_address):
        pass  # a client that leaves early is none of ours


def envelope(data=None, auth=None, lease_id='', lease=0, renewable=False):
    return {'request_id': secrets.token_hex(16), 'lease_id': lease_id, 'renewable': renewable, 'lease_duration': lease,
            'data': data, 'wrap_info': None, 'warnings': None, 'auth': auth}


class FakeVault:
    MOUNTS = {'secret/': ('kv', {'version': '2'}), 'kv1/': ('kv', {'version': '1'}), 'transit/': ('transit', None),
              'database/': ('database', None), 'auth/approle/': ('approle', None),
              'auth/kubernetes/': ('kubernetes', None)}

    def __init__(self, root='hvs.root', host='127.0.0.1', port=0):
        self.root, self.host, self.port = root, host, port
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.tokens = {root: Token(root, 0, 0, False)}
        self.secrets, self.plain = {}, {}
        self.leases = {}
        self.keys = {'app': secrets.token_bytes(32)}
        self.ttl, self.max_ttl, self.lease, self.sealed = 3600, 0, 600, False
        self.denied = set()
        self.roles = {'role': 'secret'}
        self.seen = []
        self.connections = set()
        self.http = None

    # --- for tests ---

    @property
    def address(self):
        return f'http://{self.host}:{self.port}'

    def start(self):
        self.up()
        return self

    def up(self):
        self.http = Server((self.host, self.port), Request)
        self.http.vault = self
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, kwargs={'poll_interval': 0.02}, daemon=True).start()
        return self

    def down(self):
        """Connections are refused, and those that were open are closed."""
        http, self.http = self.http, None
        if not http:
            return
        http.shutdown()
        http.server_close()
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    stop = down

    def put(self, path, data):
        """A new version of a secret in secret/, or the value of one in kv1/; None deletes it."""
        with self.lock:
            if path.startswith('secret/'):
                secret = self.secrets.setdefault(path[7:], Secret())
                if data is not None:
                    secret.add(data)
                elif secret.versions:
                    secret.versions[-1]['deleted'] = now_text()
            elif data is None:
                self.plain.pop(path.removeprefix('kv1/'), None)
            else:
                self.plain[path.removeprefix('kv1/')] = data

    def encrypt(self, text, key='app'):
        """A ciphertext as transit would give it."""
        nonce = secrets.token_bytes(12)
        body = self.mix(key, nonce, text.encode() if isinstance(text, str) else text)
        tag = hashlib.blake2b(nonce + body, key=self.keys[key], digest_size=16).digest()
        return 'vault:v1:' + base64.b64encode(nonce + body + tag).decode()

    def revoke(self):
        with self.lock:
            self.tokens = {self.root: self.tokens[self.root]} if self.root in self.tokens else {}
            self.leases = {}

    def count(self, method, path):
        with self.lock:
            return sum(1 for s in self.seen if s['method'] == method and s['path'] == path)

    def wait(self, condition, seconds=10):
        """Waits until condition() holds; returns its value, whatever it is in the end."""
        with self.changed:
            self.changed.wait_for(condition, seconds)
        return condition()

    # --- one request ---

    def answer(self, method, target, headers, body):
        url = urlsplit(target)
        path = unquote(url.path)
        try:
            if path.startswith('/_control/'):
                return self.control(path[10:], json.loads(body or b'{}'))
            with self.lock:
                self.seen.append({'method': method, 'path': path.removeprefix('/v1/'), 'body': body.decode('latin-1'),
                                  'token': headers.get('X-Vault-Token'), 'namespace': headers.get('X-Vault-Namespace')})
                self.changed.notify_all()
                if not path.startswith('/v1/'):
                    raise Refused(404)
                result = self.route(method, path[4:], url.query, headers, self.json(body))
                return (204, None) if result is None else (200, result)
        except Refused as refused:
            if refused.args[1:2] and isinstance(refused.args[1], dict):
                return refused.status, refused.args[1]
            return refused.status, {'errors': refused.errors}

    @staticmethod
    def json(body):
        try:
            value = json.loads(body) if body else {}
        except ValueError:
            raise Refused(400, 'failed to parse JSON input: invalid character') from None
        if not isinstance(value, dict):
            raise Refused(400, 'error parsing JSON')
        return value

    def route(self, method, path, query, headers, body):
        if path == 'sys/health':
            status = 503 if self.sealed else 200
            health = {'initialized': True, 'sealed': self.sealed, 'standby': False, 'version': '1.18.0'}
            if status == 200:
                return health
            raise Refused(status, health)
        if self.sealed:
            raise Refused(503, 'Vault is sealed')
        if method in ('POST', 'PUT') and path.startswith('auth/') and path.endswith('/login'):
            return self.login(path, body)
        token = self.token_of(headers)
        if path.startswith('auth/token/'):
            return self.token(path[11:], token)
        if path.startswith('sys/internal/ui/mounts/'):
            return self.mount(path[23:])
        if path in self.denied or path.replace('/data/', '/', 1) in self.denied:
            raise Refused(403, '1 error occurred:\n\t* permission denied\n\n')
        if path == 'sys/leases/renew' and method in ('POST', 'PUT'):
            return self.renew_lease(body)
        for prefix, engine in (('secret/', self.kv2), ('kv1/', self.kv1), ('transit/', self.transit),
                               ('database/creds/', self.database)):
            if path.startswith(prefix):
                return engine(method, path[len(prefix):], query, body)
        if path.startswith('sys/'):
            raise Refused(404, 'unsupported path')
        raise Refused(404, f'no handler for route "{path}". route entry not found.')

    # --- tokens ---

    def token_of(self, headers):
        name = headers.get('X-Vault-Token') or headers.get('Authorization', '').removeprefix('Bearer ')
        if not name:
            raise Refused(403, 'permission denied')
        token = self.tokens.get(name)
        if not token or (token.ttl and token.left() <= 0):
            self.tokens.pop(name, None)
            raise Refused(403, '2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n')
        return token

    def token(self, what, token):
        if what == 'lookup-self':
            left = token.left()
            return envelope({'accessor': secrets.token_hex(12), 'creation_ttl': token.ttl, 'display_name': 'fake',
                             'entity_id': '', 'expire_time': None, 'explicit_max_ttl': 0, 'id': token.name,
                             'meta': None, 'num_uses': 0, 'orphan': True, 'path': 'auth/token/create',
                             'policies': ['default'], 'renewable': token.renewable, 'ttl': max(0, int(left or 0)),
                             'type': 'service'})
        if what == 'renew-self':
            if not token.renewable:
                raise Refused(400, 'lease is not renewable')
            token.renew()
            return envelope(auth=token.auth())
        raise Refused(404, 'unsupported path')

    def login(self, path, body):
        method = path.removeprefix('auth/').removesuffix('/login')
        if method == 'approle':
            if not body.get('role_id'):
                raise Refused(400, 'missing role_id')
            if self.roles.get(body['role_id']) != body.get('secret_id'):
                raise Refused(400, 'invalid role or secret ID')
        elif method == 'kubernetes':
            if not body.get('jwt'):
                raise Refused(400, 'missing jwt')
            if body.get('role') != 'penstock':
                raise Refused(400, f'invalid role name "{body.get("role")}"')
            if not str(body['jwt']).endswith('.good'):
                raise Refused(403, 'permission denied')
        else:
            raise Refused(403, 'permission denied')
        name = 'hvs.' + secrets.token_urlsafe(24)
        token = self.tokens[name] = Token(name, self.ttl, self.max_ttl, True)
        return envelope(auth=token.auth())

    # --- engines ---

    def mount(self, path):
        for mount, (kind, options) in self.MOUNTS.items():
            if (path.rstrip('/') + '/').startswith(mount):
                return envelope({'accessor': f'{kind}_1', 'config': {'default_lease_ttl': 0, 'max_lease_ttl': 0},
                                 'description': '', 'local': False, 'options': options, 'path': mount,
                                 'seal_wrap': False, 'type': kind, 'uuid': secrets.token_hex(16)})
        raise Refused(403, 'preflight capability check returned 403, please ensure client\'s policies grant access to '
                           f'path "{path.rstrip("/")}/"')

    def kv2(self, method, path, query, body):
        kind, _, name = path.partition('/')
        if kind == 'metadata' and method == 'GET' and name in self.secrets:
            secret = self.secrets[name]
            return envelope({'current_version': len(secret.versions), 'versions': {
                str(n + 1): secret.metadata(n + 1) for n in range(len(secret.versions))}})
        if kind != 'data':
            raise Refused(404)
        if method in ('POST', 'PUT'):
            return self.kv2_write(name, body)
        if name not in self.secrets:
            raise Refused(404)
        if method == 'DELETE':
            self.put('secret/' + name, None)
            return None
        version = dict(part.split('=', 1) for part in query.split('&') if '=' in part).get('version', '0')
        found = self.secrets[name].read(int(version) if version.isdigit() else 0)
        if found['data'] is None:
            raise Refused(404, envelope(found))
        return envelope(found)

    def kv2_write(self, name, body):
        if not isinstance(body.get('data'), dict):
            raise Refused(400, 'no data provided')
        secret = self.secrets.setdefault(name, Secret())
        cas = (body.get('options') or {}).get('cas')
        if cas is not None and cas != len(secret.versions):
            raise Refused(400, 'check-and-set parameter did not match the current version')
        return envelope(secret.add(body['data']))

    def kv1(self, method, path, _query, body):
        if method in ('POST', 'PUT'):
            self.plain[path] = body
            return None
        if method == 'DELETE':
            self.plain.pop(path, None)
            return None
        if path not in self.plain:
            raise Refused(404)
        return envelope(self.plain[path], lease=2764800)

    def database(self, method, path, _query, _body):
        if method != 'GET' or path != 'app':
            raise Refused(400, f'unknown role: {path}')
        lease_id = f'database/creds/app/{secrets.token_urlsafe(18)}'
        self.leases[lease_id] = time.monotonic() + self.lease
        return envelope({'username': 'v-app-' + secrets.token_hex(8), 'password': secrets.token_urlsafe(15)},
                        lease_id=lease_id, lease=self.lease, renewable=True)

    def renew_lease(self, body):
        lease_id = body.get('lease_id')
        if self.leases.get(lease_id, 0) < time.monotonic():
            self.leases.pop(lease_id, None)
            raise Refused(400, 'lease not found')
        self.leases[lease_id] = time.monotonic() + self.lease
        return envelope(lease_id=lease_id, lease=self.lease, renewable=True)

    # Not real cryptography: enough that a changed ciphertext is noticed and nothing else decrypts it.
    def mix(self, key, nonce, data):
        stream = b''
        while len(stream) < len(data):
            stream += hashlib.blake2b(nonce + len(stream).to_bytes(8, 'big'), key=self.keys[key]).digest()
        return bytes(a ^ b for a, b in zip(data, stream))

    def transit(self, method, path, _query, body):
        action, _, key = path.partition('/')
        if method not in ('POST', 'PUT') or action not in ('encrypt', 'decrypt'):
            raise Refused(405, 'unsupported operation')
        if key not in self.keys:
            raise Refused(400, 'encryption key not found')
        if action == 'encrypt':
            try:
                plain = base64.b64decode(body['plaintext'], validate=True)
            except (KeyError, ValueError):
                raise Refused(400, 'failed to base64-decode plaintext') from None
            return envelope({'ciphertext': self.encrypt(plain, key), 'key_version': 1})
        try:
            raw = base64.b64decode(body.get('ciphertext', '').removeprefix('vault:v1:'), validate=True)
        except ValueError:
            raise Refused(400, 'invalid ciphertext: could not decode base64') from None
        nonce, sealed, tag = raw[:12], raw[12:-16], raw[-16:]
        if hashlib.blake2b(nonce + sealed, key=self.keys[key], digest_size=16).digest() != tag:
            raise Refused(400, 'cipher: message authentication failed')
        return envelope({'plaintext': base64.b64encode(self.mix(key, nonce, sealed)).decode()})

    # --- control ---

    def control(self, what, body):
        with self.lock:
            if what == 'put':
                self.put(body['path'], body['data'])
            elif what == 'set':
                for name in ('ttl', 'max_ttl', 'lease', 'sealed'):
                    setattr(self, name, body.get(name, getattr(self, name)))
                self.denied = set(body.get('denied', self.denied))
            elif what == 'encrypt':
                return 200, {'ciphertext': self.encrypt(body['plaintext'])}
            elif what == 'revoke':
                self.revoke()
            elif what == 'reset':
                self.seen = []
            elif what == 'seen':
                return 200, {'seen': list(self.seen)}
            elif what == 'down':
                threading.Thread(target=self.away, args=(float(body.get('seconds', 1)),), daemon=True).start()
            else:
                return 404, {'errors': ['no such control']}
        return 200, {}

    def away(self, seconds):
        self.down()
        time.sleep(seconds)
        self.up()


def main():
    parser = argparse.ArgumentParser(description='A stand-in for HashiCorp Vault and OpenBao.')
    parser.add_argument('--port', type=int, default=0)
    parser.add_argument('--token', default='hvs.root')
    args = parser.parse_args()
    fake = FakeVault(root=args.token, port=args.port).start()
    print(fake.address, flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        fake.stop()
    sys.exit(0)


if __name__ == '__main__':
    main()
