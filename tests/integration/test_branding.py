#!/usr/bin/env python3
# Host names that are tenants' own: whom they admit, who signs in there; and how a tenant shows itself at its address.
import json
import os

from harness import FakeUpstream, Suite, chat_body, eventually, fake_provider, main, request_bytes
from postgres import Postgres
from test_postgres import Replica

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script><rect onclick="x()" width="8"/></svg>'


class Branded(Suite):
    @classmethod
    def config(cls):
        return {'providers': [fake_provider(cls.fake)], 'log': {'level': 'debug', 'format': 'json'},
                'models': [{'name': 'm', 'targets': [{'provider': 'fake', 'model': 'well'}]}]}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.prepare()

    @classmethod
    def prepare(cls):
        cls.operator = cls.server.create_key('--admin')['key']
        cls.key = {}
        for name in ('acme', 'beta'):
            cls.call('POST', 'tenants', {'name': name, 'title': name.title() + ' Ltd'})
            cls.call('POST', 'domains', {'name': f'ai.{name}.example'}, tenant=name)
            cls.key[name] = cls.call('POST', 'keys', {'name': 'k', 'scopes': ['*']}, tenant=name).json()['key']
            cls.person(name, f'ada@{name}.example.com', 'owner')

    @classmethod
    def person(cls, tenant, email, role):
        user = cls.call('POST', 'users', {'email': email}, tenant=tenant).json()
        cls.call('POST', f'users/{user["id"]}/password', {'password': 'a long and unusual sentence', 'must_change': False},
                 tenant=tenant)
        cls.call('POST', 'grants', {'principal': user['id'], 'role': role}, tenant=tenant)
        return user

    @classmethod
    def ask(cls, method, path, body=None, key=None, host=None, server=None, **headers):
        server = server or cls.server
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        headers = {k.replace('_', '-'): v for k, v in headers.items()}
        raw = request_bytes(method, path, body, headers, key)
        if host:
            head, _, rest = raw.partition(b'\r\n')
            lines = [line for line in rest.split(b'\r\n') if not line.lower().startswith(b'host:')]
            raw = b'\r\n'.join([head, b'Host: ' + host.encode(), *lines])
        with server.conn() as conn:
            conn.send(raw)
            return conn.read()

    @classmethod
    def call(cls, method, path, body=None, tenant=None, key=None, host=None, **more):
        headers = {'X_Penstock_Tenant': tenant} if tenant else {}
        return cls.ask(method, '/api/v1/' + path, body, key or cls.operator, host, **headers, **more)

    def problem(self, reply, status, code):
        self.assertEqual(reply.status, status, reply.body)
        self.assertEqual((reply.json().get('error') or reply.json())['code'], code, reply.body)
        return reply.json()


class Hosts(Branded):
    def test_a_key_is_admitted_at_its_own(self):
        body = chat_body('m')
        for host in ('ai.acme.example', 'AI.ACME.example:8080', 'ai.acme.example.'):
            self.assertEqual(self.ask('POST', '/v1/chat/completions', body, self.key['acme'], host).status, 200, host)
            reply = self.ask('POST', '/v1/chat/completions', body, self.key['beta'], host)
            error = self.problem(reply, 403, 'permission_denied')
            self.assertNotIn('acme', json.dumps(error))
            self.assertEqual(self.ask('GET', '/v1/models', None, self.server.key, host).status, 403)
        for host in (None, 'other.example', 'acme.example', 'x.ai.acme.example'):
            self.assertEqual(self.ask('POST', '/v1/chat/completions', body, self.key['beta'], host).status, 200, host)

    def test_no_header_makes_a_key_anothers(self):
        for name, status in (('acme', 200), ('beta', 403), ('default', 403), ('tenant_0000000000001', 403)):
            reply = self.ask('POST', '/v1/chat/completions', chat_body('m'), self.key['acme'], X_Penstock_Tenant=name)
            self.assertEqual(reply.status, status, reply.body)
            for more in ({'X_Tenant': name}, {'X_Forwarded_Host': f'ai.{name}.example'}):
                reply = self.ask('POST', '/v1/chat/completions', chat_body('m'), self.key['acme'], **more)
                self.assertEqual(reply.status, 200)
                self.assertEqual(self.record_of(reply.request_id)['tenant'], 'acme')
        self.problem(self.call('GET', 'teams', tenant='beta', key=self.key['acme']), 403, 'permission_denied')
        self.problem(self.call('GET', 'teams', tenant='nobody', key=self.key['acme']), 403, 'permission_denied')

    def test_the_admin_api(self):
        for path in ('teams', 'keys', 'events', 'config', 'session'):
            self.problem(self.call('GET', path, key=self.key['beta'], host='ai.acme.example'), 403, 'permission_denied')
            self.problem(self.call('GET', path, host='ai.acme.example'), 403, 'permission_denied')
        self.assertEqual(self.call('GET', 'teams', key=self.key['acme'], host='ai.acme.example').status, 200)
        self.assertEqual(self.call('GET', 'teams', key=self.key['acme']).status, 200)
        event = self.call('GET', 'audit?outcome=denied', tenant='beta').json()['data'][0]
        self.assertIn('address', event['reason'])

    def test_signing_in(self):
        sign_in = lambda email, host, **more: self.ask(  # noqa: E731
            'POST', '/api/v1/session', {'email': email, 'password': 'a long and unusual sentence', **more}, host=host)
        reply = sign_in('ada@acme.example.com', 'ai.acme.example')
        self.assertIn(reply.status, (200, 201), reply.body)
        cookie = reply.header('set-cookie').split(';')[0]
        self.problem(sign_in('ada@beta.example.com', 'ai.acme.example'), 401, 'invalid_credentials')
        self.problem(sign_in('ada@beta.example.com', 'ai.acme.example', tenant='beta'), 403, 'permission_denied')
        self.assertIn(sign_in('ada@acme.example.com', 'ai.acme.example', tenant='acme').status, (200, 201))
        self.assertEqual(self.ask('GET', '/api/v1/teams', host='ai.acme.example', Cookie=cookie).status, 200)
        self.problem(self.ask('GET', '/api/v1/teams', host='ai.beta.example', Cookie=cookie), 403, 'permission_denied')
        # Of one address in two tenants, the place says which is meant.
        for tenant in ('acme', 'beta'):
            self.person(tenant, 'both@example.com', 'viewer')
            reply = sign_in('both@example.com', f'ai.{tenant}.example')
            self.assertIn(reply.status, (200, 201), reply.body)
            self.assertEqual(reply.json()['tenant']['name'], tenant)

    def test_domains(self):
        self.problem(self.call('POST', 'domains', {'name': 'ai.acme.example'}, tenant='beta'), 409, 'already_exists')
        for name in ('', 'localhost', 'A.example', 'a..example', '-a.example', 'a.example:80', 'a.example.', '127.0.0.1',
                     'a_b.example', 'x' * 64 + '.example', '*.example', 'ä.example'):
            self.problem(self.call('POST', 'domains', {'name': name}), 400, 'invalid_value')
        # A tenant's own people see them, and do not make them.
        listed = self.call('GET', 'domains', key=self.key['acme']).json()['data']
        self.assertEqual([d['name'] for d in listed], ['ai.acme.example'])
        reply = self.call('POST', 'domains', {'name': 'mine.example'}, key=self.key['acme'])
        self.problem(reply, 403, 'permission_denied')
        self.problem(self.call('DELETE', 'domains/ai.acme.example', key=self.key['acme']), 403, 'permission_denied')
        # In force at once, and gone at once.
        made = self.call('POST', 'domains', {'name': 'new.example'}, tenant='acme').json()
        self.assertEqual(self.ask('GET', '/v1/models', None, self.key['beta'], 'new.example').status, 403)
        self.assertEqual(self.call('DELETE', 'domains/' + made['id'], tenant='acme').status, 204)
        self.assertEqual(self.ask('GET', '/v1/models', None, self.key['beta'], 'new.example').status, 200)
        done = self.server.cli('domain', 'list', '--tenant', 'beta')
        self.assertIn('ai.beta.example', done.stdout)


class Branding(Branded):
    def set(self, body, tenant='acme', key=None):
        return self.call('PATCH', f'tenants/{tenant}/branding', body, key=key)

    def test_names_and_colours(self):
        reply = self.set({'display_name': 'Acme Intelligence', 'background': '#FFFFFF', 'text': '#222222', 'accent': '#0b5fff',
                          'accent_text': '#ffffff'}, key=self.key['acme'])
        self.assertEqual(reply.status, 200, reply.body)
        self.assertEqual(reply.json()['colors']['background'], '#ffffff')
        shown = self.ask('GET', '/branding.json', host='ai.acme.example')
        self.assertEqual(shown.status, 200)
        self.assertEqual(shown.json(), {'display_name': 'Acme Intelligence', 'colors': {
            'background': '#ffffff', 'text': '#222222', 'accent': '#0b5fff', 'accent_text': '#ffffff'}, 'logo': None})
        self.assertEqual(self.ask('GET', '/branding.json', host='ai.beta.example').json()['display_name'], 'Beta Ltd')
        self.assertEqual(self.ask('GET', '/branding.json').json()['display_name'], 'Penstock')
        # Another tenant's is another's.
        self.problem(self.set({'display_name': 'x'}, 'beta', self.key['acme']), 404, 'not_found')
        self.problem(self.call('GET', 'tenants/beta/branding', key=self.key['acme']), 404, 'not_found')
        plain = self.call('POST', 'keys', {'name': 'p', 'scopes': ['tenant:*', 'branding:read']}, tenant='acme').json()['key']
        self.problem(self.set({'display_name': 'x'}, key=plain), 403, 'permission_denied')
        event = self.call('GET', 'audit?action=branding.update&outcome=ok', tenant='acme').json()['data'][0]
        self.assertEqual(event['after']['display_name'], 'Acme Intelligence')
        done = self.server.cli('tenant', 'branding', 'acme', 'accent=#000000')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('Acme Intelligence', done.stdout)

    def test_contrast(self):
        problem = self.problem(self.set({'background': '#ffffff', 'text': '#777777'}, 'beta'), 400, 'invalid_value')
        self.assertEqual(problem['field'], 'text')
        self.assertRegex(problem['detail'], r'#777777 on #ffffff has a contrast of 4\.47:1, and text needs 4\.5:1; #[0-9a-f]{6} would do')
        better = problem['detail'].split('; ')[1].split()[0]
        self.assertEqual(self.set({'background': '#ffffff', 'text': better}, 'beta').status, 200)
        self.problem(self.set({'accent': '#ffff00', 'accent_text': '#ffffff'}, 'beta'), 400, 'invalid_value')
        self.problem(self.set({'accent': '#000000'}, 'beta'), 400, 'invalid_value')  # black text is meant where none is given
        for colour in ('red', '#fff', '#12345g', 'url(x)', '#0000000'):
            self.problem(self.set({'background': colour}, 'beta'), 400, 'invalid_value')
        self.problem(self.set({'display_name': 'x' * 101}, 'beta'), 400, 'invalid_value')
        self.problem(self.set({'display_name': 'a\nb'}, 'beta'), 400, 'invalid_value')

    def test_logo(self):
        path = 'tenants/acme/logo'
        self.assertEqual(self.ask('GET', '/branding/logo', host='ai.acme.example').status, 404)
        reply = self.call('PUT', path, SVG, key=self.key['acme'])
        self.assertEqual(reply.status, 200, reply.body)
        self.assertEqual(reply.json()['logo']['type'], 'image/svg+xml')
        logo = self.ask('GET', '/branding/logo', host='ai.acme.example')
        self.assertEqual(logo.status, 200)
        self.assertEqual(logo.body, b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="8"></rect></svg>')
        self.assertEqual(logo.header('content-type'), 'image/svg+xml')
        self.assertEqual(logo.header('content-security-policy'), "default-src 'none'; sandbox")
        self.assertEqual(logo.header('x-content-type-options'), 'nosniff')
        self.assertEqual(self.ask('GET', '/branding.json', host='ai.acme.example').json()['logo'], '/branding/logo')
        self.assertEqual(self.ask('GET', '/branding/logo', host='ai.beta.example').status, 404)
        with open(os.path.join(os.path.dirname(__file__), '../fuzz/corpus/svg/small.png'), 'rb') as f:
            png = f.read()
        self.assertEqual(self.call('PUT', path, png).json()['logo']['type'], 'image/png')
        logo = self.ask('GET', '/branding/logo', host='ai.acme.example')
        self.assertEqual(logo.header('content-type'), 'image/png')
        self.assertNotIn(b'tEXt', logo.body)
        for bad in (b'', b'x', b'<html></html>', b'<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]><svg>&a;</svg>',
                    png[:40], b'GIF89a' + b'\0' * 20, b'<svg>' + b' ' * 140_000 + b'</svg>'):
            self.problem(self.call('PUT', path, bad), 400, 'invalid_value')
        self.assertEqual(self.call('DELETE', path).status, 204)
        self.assertEqual(self.ask('GET', '/branding/logo', host='ai.acme.example').status, 404)
        source = os.path.join(self.server.folder, 'logo.svg')
        with open(source, 'wb') as f:
            f.write(SVG)
        self.assertEqual(self.server.cli('tenant', 'logo', 'acme', source).returncode, 0)
        self.assertEqual(self.call('DELETE', path).status, 204)

    def test_region_and_retention(self):
        change = lambda body: self.call('PATCH', 'tenants/beta', body)  # noqa: E731
        row = change({'region': 'eu-central', 'retention': '30d'}).json()
        self.assertEqual((row['region'], row['retention']), ('eu-central', '30d'))
        for body in ({'region': 'No where'}, {'retention': -1}, {'retention': '99999d'}, {'retention': 'long'}):
            self.problem(change(body), 400, 'invalid_value')
        self.assertIsNone(change({'retention': None}).json()['retention'])


class Replicas(Branded):
    """Two servers on one PostgreSQL: a suspension, and a domain, are in force on both within a second."""

    @classmethod
    def setUpClass(cls):
        cls.postgres = Postgres().start()
        cls.addClassCleanup(cls.postgres.__exit__)
        cls.fake = FakeUpstream().start()
        cls.addClassCleanup(cls.fake.stop)
        url = cls.postgres.url('branded')
        cls.server = Replica(cls.config(), url)
        cls.addClassCleanup(cls.server.remove)
        cls.server.start()
        cls.other = Replica(cls.config(), url, first=cls.server)
        cls.addClassCleanup(cls.other.remove)
        cls.other.start()
        cls.prepare()

    def status(self, key, host=None, path='/v1/models'):
        return [self.ask('GET', path, None, key, host, server=s).status for s in (self.server, self.other)]

    def test_in_force_everywhere(self):
        self.assertTrue(eventually(lambda: self.status(self.key['acme']) == [200, 200]))
        self.assertTrue(eventually(lambda: self.status(self.key['beta'], 'ai.acme.example') == [403, 403]))
        self.assertEqual(self.status(self.key['acme'], 'ai.acme.example'), [200, 200])
        self.call('POST', 'tenants/acme/suspend')
        # Each way in: models, a model's use, the admin API.
        for path in ('/v1/models', '/api/v1/teams', '/api/v1/keys'):
            self.assertTrue(eventually(lambda: self.status(self.key['acme'], path=path) == [403, 403], 3), path)
        for server in (self.server, self.other):
            reply = self.ask('POST', '/v1/chat/completions', chat_body('m'), self.key['acme'], server=server)
            self.problem(reply, 403, 'permission_denied')
            reply = self.ask('POST', '/api/v1/session', {'email': 'ada@acme.example.com',
                                                         'password': 'a long and unusual sentence'}, server=server)
            self.assertIn(reply.status, (401, 403), reply.body)
        self.assertEqual(self.status(self.key['beta']), [200, 200])
        self.call('POST', 'tenants/acme/resume')
        self.assertTrue(eventually(lambda: self.status(self.key['acme']) == [200, 200]))


if __name__ == '__main__':
    main()
