#!/usr/bin/env python3
# A stand-in for where processes in a cloud fetch their credentials: EC2's metadata server, ECS's and EKS's for containers,
# AWS's token service; Azure's metadata server, App Service's, and Entra ID. Requests are held to each one's rules.
import json
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SCOPE = 'https://cognitiveservices.azure.com'
ROLE = 'arn:aws:iam::123456789012:role/penstock'
PREFIX = '/latest/meta-data/iam/security-credentials/'


def utc(seconds):
    return time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(seconds))


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *args):
        pass

    def reply(self, status, body, kind='application/json'):
        body = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def key(self, session='Token'):
        """A new temporary key, by now the only good one at the cloud."""
        cloud = self.server.cloud
        number = cloud.given()
        cloud.aws.access_key, cloud.aws.secret, cloud.aws.token = f'ASIA{number}', f'sec/ret+{number}', f'FwoG//{number}=='
        return {'AccessKeyId': cloud.aws.access_key, 'SecretAccessKey': cloud.aws.secret, session: cloud.aws.token}

    def bearer(self, lifetime):
        cloud = self.server.cloud
        token = f'eyJ.entra-{cloud.given()}'
        cloud.azure.key = 'none at all' if cloud.useless else token
        return {'access_token': token, 'expires_in': lifetime, 'token_type': 'Bearer'}

    def hang(self):
        """Takes the request, and says nothing, or byte by byte what comes to no end; until it goes on."""
        cloud = self.server.cloud
        if cloud.hang == 'slow':
            self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n')
        while not cloud.go_on.wait(0.1):
            try:
                if cloud.hang == 'slow':
                    self.wfile.write(b' ')
            except OSError:
                break
        self.close_connection = True

    def run(self):
        path, _, query = self.path.partition('?')
        query = dict(urllib.parse.parse_qsl(query))
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0)).decode()
        form = dict(urllib.parse.parse_qsl(body))
        cloud = self.server.cloud
        cloud.asked.append((self.command, path, query or form))
        if cloud.hang:
            self.hang()
            return
        if cloud.fail:
            self.reply(cloud.fail, {'error': 'invalid_client', 'error_description': 'AADSTS7000215: it was told to fail'})
            return
        name = f'{self.command} {path}'
        if name == 'PUT /latest/api/token':
            self.reply(200 if self.headers['X-aws-ec2-metadata-token-ttl-seconds'] else 400, 'imds-token', 'text/plain')
        elif path.startswith(PREFIX) and self.headers['X-aws-ec2-metadata-token'] == 'imds-token':
            if path == PREFIX:
                self.reply(200, cloud.role + '\n', 'text/plain')
            else:
                self.reply(200 if urllib.parse.unquote(path[len(PREFIX):]) == cloud.role else 404,
                           {'Code': 'Success', 'Type': 'AWS-HMAC', **self.key(), 'Expiration': utc(time.time() + cloud.lifetime)})
        elif name == 'GET /v1/credentials' and self.headers['Authorization'] == cloud.container_token:
            self.reply(200, {**self.key(), 'RoleArn': ROLE, 'Expiration': utc(time.time() + cloud.lifetime)})
        elif name == 'POST /' and form.get('Action') == 'AssumeRoleWithWebIdentity':
            self.assume(form)
        elif name == 'GET /metadata/identity/oauth2/token' and self.headers['Metadata'] == 'true':
            good = query.get('resource') == SCOPE and query.get('api-version') == '2018-02-01' and not self.headers['X-Forwarded-For']
            self.reply(200 if good else 400, self.bearer(str(cloud.lifetime)))
        elif name == 'GET /msi/token' and self.headers['X-IDENTITY-HEADER'] == 'app-service':
            self.reply(200 if query.get('api-version') == '2019-08-01' and query.get('resource') == SCOPE else 400,
                       self.bearer(str(cloud.lifetime)))
        elif name == 'POST /the-tenant/oauth2/v2.0/token':
            self.entra(form)
        else:
            self.reply(404, {'message': 'no such thing'})

    def assume(self, form):
        cloud = self.server.cloud
        if form.get('WebIdentityToken') != cloud.web_token or form.get('RoleArn') != ROLE or not form.get('RoleSessionName') \
                or self.headers['Accept'] != 'application/json' or form.get('Version') != '2011-06-15':
            self.reply(403, {'Error': {'Code': 'AccessDenied', 'Message': 'Not authorized to perform sts:AssumeRoleWithWebIdentity',
                                       'Type': 'Sender'}, 'RequestId': 'r'})
            return
        key = {**self.key('SessionToken'), 'Expiration': time.time() + cloud.lifetime}
        self.reply(200, {'AssumeRoleWithWebIdentityResponse': {'AssumeRoleWithWebIdentityResult': {
            'Credentials': key, 'Provider': 'oidc'}, 'ResponseMetadata': {'RequestId': 'r'}}})

    def entra(self, form):
        cloud = self.server.cloud
        proof = form.get('client_secret') == cloud.secret if 'client_secret' in form else (
            form.get('client_assertion') == cloud.web_token and
            form.get('client_assertion_type') == 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
        if proof and form.get('scope') == SCOPE + '/.default' and form.get('client_id') == 'the-client' \
                and form.get('grant_type') == 'client_credentials':
            self.reply(200, self.bearer(cloud.lifetime))
        else:
            self.reply(401, {'error': 'invalid_client', 'error_description': 'AADSTS7000215: Invalid client secret provided.'})

    do_GET = do_PUT = do_POST = run


class CloudIdentity:
    """aws, azure: the fakes whose keys the given credentials become."""

    def __init__(self, aws=None, azure=None):
        self.aws, self.azure = aws, azure
        self.lifetime, self.fail, self.role = 3600, 0, 'penstock-role'
        self.useless = False  # what is given is good for nothing
        self.hang, self.go_on = None, threading.Event()  # 'silent', 'slow': each request, until it goes on
        self.web_token, self.container_token, self.secret = 'web.token.1', 'container-token', 'top~secret&1'
        self.asked, self.count, self.lock = [], 0, threading.Lock()

    def given(self):
        with self.lock:
            self.count += 1
            return self.count

    def start(self):
        self.server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.server.daemon_threads, self.server.cloud = True, self
        self.url = f'http://127.0.0.1:{self.server.server_address[1]}'
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def stop(self):
        self.go_on.set()
        self.server.shutdown()
        self.server.server_close()
