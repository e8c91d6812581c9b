#!/usr/bin/env python3
"""What holds for a tenant's teams, projects and keys: which level decides, and that a change above shows below."""
import copy
import json
import signal

from harness import Suite, chat_body, eventually, fake_provider, main


def model(name, upstream):
    return {'name': name, 'targets': [{'provider': 'fake', 'model': upstream}]}


def config(fake):
    acme = {
        'name': 'acme', 'limits': {'max_body': '8 KiB'}, 'branding': {'support': 'help@acme.example.com'},
        'models': [model('own', 'of-acme')], 'aliases': {'best': 'own'}, 'prices': {'priced': {'input': 10, 'output': 0}},
        'teams': [
            {'name': 'ml', 'limits': {'max_body': '4 KiB'}, 'allow_models': ['own', 'best', 'priced', 'search-*', 'lab'],
             'models': [model('own', 'of-ml')], 'prices': {'priced': {'input': 100, 'output': 0}}},
            {'name': 'web', 'timeouts': {'first_byte': '300ms'}, 'branding': {'support': 'web@acme.example.com'}},
        ],
        'projects': [
            {'name': 'search', 'team': 'ml', 'models': [model('search-own', 'of-search')], 'aliases': {'best': 'search-own'}},
            {'name': 'shop', 'allow_models': ['own', 'best', 'priced']},
        ],
        'keys': [
            {'name': 'nightly', 'project': 'search', 'limits': {'max_body': '2 KiB'}, 'allow_models': ['own', 'best'],
             'aliases': {'best': 'own'}, 'prices': {'priced': {'input': 1000, 'output': 0}}},
            {'name': 'anywhere', 'limits': {'max_body': '3 KiB', 'max_response': '8 KiB'}},
        ],
    }
    return {'providers': [fake_provider(fake)], 'log': {'level': 'debug', 'format': 'json'},
            'models': [model('own', 'general'), model('priced', 'priced'), model('lab', 'lab')],
            'aliases': {'best': 'lab'}, 'prices': {'priced': {'input': 1, 'output': 0}}, 'passthrough_models': False,
            'tenants': [acme, {'name': 'child', 'parent': 'acme', 'teams': [{'name': 'ml', 'aliases': {'best': 'lab'}}]}]}


class Levels(Suite):
    """Tenants with teams and projects, and keys in all of them, of one server."""

    @classmethod
    def config(cls):
        return config(cls.fake)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.settle(cls.server)

    @classmethod
    def settle(cls, server):
        """Makes tenants, teams, projects and keys on a server; server.keys holds their texts by what they are for."""
        server.operator = server.create_key('--admin')['key']

        def make(what, body, tenant='acme'):
            return cls.api(server, 'POST', what, body, status=201, tenant=tenant)
        make('tenants', {'name': 'acme'}, tenant=None)
        make('tenants', {'name': 'child'}, tenant=None)
        make('teams', {'name': 'ml'})
        make('teams', {'name': 'web'})
        make('teams', {'name': 'plain'})
        make('projects', {'name': 'search', 'team_id': 'ml'})
        make('projects', {'name': 'unnamed', 'team_id': 'ml'})
        make('projects', {'name': 'shop', 'team_id': 'web'})
        make('projects', {'name': 'free'})
        make('teams', {'name': 'ml'}, tenant='child')
        places = {'tenant': {}, 'ml': {'team_id': 'ml'}, 'web': {'team_id': 'web'}, 'plain': {'team_id': 'plain'},
                  'search': {'project_id': 'search'}, 'unnamed': {'project_id': 'unnamed'}, 'shop': {'project_id': 'shop'},
                  'free': {'project_id': 'free'}, 'nightly': {'name': 'nightly', 'project_id': 'search'},
                  'nightly elsewhere': {'name': 'nightly', 'team_id': 'web'}, 'anywhere': {'name': 'anywhere'},
                  'anywhere in ml': {'name': 'anywhere', 'project_id': 'search'}}
        server.keys = {name: make('keys', {'name': 'of ' + name, **body}) for name, body in places.items()}
        server.keys['child'] = make('keys', {'team_id': 'ml'}, tenant='child')

    @staticmethod
    def api(server, method, path, body=None, status=200, tenant=None, **headers):
        if tenant:
            headers['X-Penstock-Tenant'] = tenant
        reply = server.request(method, '/api/v1/' + path, None if body is None else json.dumps(body).encode(),
                               key=server.operator, headers=headers)
        assert reply.status == status, f'{method} {path}: {reply}'
        return reply.json() if reply.body else None

    def call(self, who, name, size=5, server=None):
        server = server or self.server
        return server.request('POST', '/v1/chat/completions', chat_body(name, 'x' * size), key=server.keys[who]['key'])

    def leads_to(self, who, name, server=None):
        """The provider's model that a name is for a key, or the refusal's status."""
        reply = self.call(who, name, server=server)
        return self.fake.seen[-1].model if reply.status == 200 else reply.status

    def most(self, who, server=None):
        """The largest of some bodies that a key may send, in KiB."""
        return max([size for size in (1, 2, 3, 4, 8) if self.call(who, 'own', size * 1024 - 200, server).status == 200],
                   default=0)


class Precedence(Levels):
    def test_models(self):
        for who, own, best in (('tenant', 'of-acme', 'of-acme'), ('plain', 'of-acme', 'of-acme'),
                               ('free', 'of-acme', 'of-acme'), ('ml', 'of-ml', 'of-ml'), ('web', 'of-acme', 'of-acme'),
                               # A project that the configuration does not name lies in a team that it names
                               ('unnamed', 'of-ml', 'of-ml'), ('search', 'of-ml', 'of-search'), ('shop', 'of-acme', 'of-acme'),
                               ('nightly', 'of-ml', 'of-ml'), ('nightly elsewhere', 'of-acme', 'of-acme'),
                               ('anywhere in ml', 'of-ml', 'of-search'), ('child', 'of-acme', 'lab')):
            with self.subTest(who):
                self.assertEqual([self.leads_to(who, 'own'), self.leads_to(who, 'best')], [own, best])

    def test_models_of_others_are_invisible(self):
        for who in ('tenant', 'web', 'free', 'child'):
            with self.subTest(who):
                error = self.check_error(self.call(who, 'search-own'), 404, 'model_not_found', param='model')
                self.assertNotIn('did you mean "search', error['message'])
                reply = self.server.get('/v1/models/search-own', key=self.server.keys[who]['key'])
                self.check_error(reply, 404, 'model_not_found')
        self.assertEqual(self.server.get('/v1/models/search-own', key=self.server.keys['search']['key']).status, 200)

    def test_allowed_on_every_level(self):
        for who, name, by in (('ml', 'other', 'Team "ml"'), ('unnamed', 'other', 'Team "ml"'), ('shop', 'lab', 'Project "shop"'),
                              ('search', 'other', 'Team "ml"'), ('nightly', 'priced', 'Key "nightly"'),
                              ('anywhere in ml', 'other', 'Team "ml"')):
            with self.subTest(who):
                error = self.check_error(self.call(who, name), 403, 'model_not_allowed', param='model')
                self.assertTrue(error['message'].startswith(f'{by} may not use the model "{name}". It may use: own, best'), error)
        message = self.call('shop', 'lab').json()['error']['message']
        self.assertTrue(message.endswith(' Ask web@acme.example.com.'), message)  # the project is in team web
        message = self.call('search', 'other').json()['error']['message']
        self.assertTrue(message.endswith(' Ask help@acme.example.com.'), message)

    def test_lists(self):
        want = {'tenant': ['own', 'best', 'priced', 'lab'], 'ml': ['own', 'best', 'priced', 'lab'],
                'search': ['search-own', 'best', 'own', 'priced', 'lab'], 'nightly': ['best', 'own'],
                'shop': ['own', 'best', 'priced'], 'anywhere in ml': ['search-own', 'best', 'own', 'priced', 'lab'],
                'child': ['best', 'own', 'priced', 'lab']}
        for who, names in want.items():
            with self.subTest(who):
                reply = self.server.get('/v1/models', key=self.server.keys[who]['key'])
                self.assertEqual([m['id'] for m in reply.json()['data']], names)

    def test_limits(self):
        for who, size in (('tenant', 8), ('ml', 4), ('unnamed', 4), ('search', 4), ('nightly', 2), ('web', 8), ('shop', 8),
                          ('nightly elsewhere', 8), ('anywhere', 3), ('anywhere in ml', 3), ('child', 8)):
            with self.subTest(who):
                self.assertEqual(self.most(who), size)
        error = self.check_error(self.call('nightly', 'own', 3000), 413, 'request_too_large')
        self.assertIn('key "nightly" may send 2 KiB', error['message'])
        error = self.check_error(self.call('search', 'own', 5000), 413, 'request_too_large')
        self.assertIn('project "search" may send 4 KiB', error['message'])

    def test_prices(self):
        cost = {who: float(self.call(who, 'priced').header('x-penstock-cost-usd')) for who in ('tenant', 'ml', 'search')}
        self.assertAlmostEqual(cost['ml'], cost['tenant'] * 10)
        self.assertEqual(cost['search'], cost['ml'])

    def test_usage_and_log(self):
        reply = self.call('nightly', 'best')
        self.assertEqual(self.record_of(reply.request_id)['tenant'], 'acme')
        line = eventually(lambda: [r for r in self.server.log_lines() if r.get('request_id') == reply.request_id])[0]
        self.assertEqual(line['tenant'], 'acme')
        by = {r['project']: r['requests'] for r in self.server.usage('--by', 'project')}
        self.assertGreaterEqual(by[self.server.keys['search']['project_id']], 1)

    def test_tokens(self):
        """A token made with a key is the key; who acts for another tenant has none of what a key of that name has."""
        made = self.api(self.server, 'POST', 'keys', {'name': 'anywhere', 'project_id': 'search'}, 201, tenant='acme')
        self.server.keys['maker'] = made
        self.assertEqual((self.most('maker'), self.leads_to('maker', 'best')), (3, 'of-search'))
        reply = self.server.request('POST', '/api/v1/tokens', json.dumps({'permissions': ['model:use']}).encode(), key=made['key'])
        self.assertEqual(reply.status, 201, reply)
        self.server.keys['token'] = {'key': reply.json()['access_token']}
        self.assertEqual((self.most('token'), self.leads_to('token', 'best')), (3, 'of-search'))
        self.server.keys['general'] = self.api(self.server, 'POST', 'keys', {'name': 'anywhere'}, 201)
        self.assertEqual((self.most('general'), self.leads_to('general', 'best')), (8, 'lab'))

    def test_a_moved_project_follows(self):
        server = self.spawn(config(self.fake))
        self.settle(server)
        self.assertEqual(self.most('unnamed', server), 4)
        self.api(server, 'PATCH', 'projects/unnamed', {'team_id': 'web'}, tenant='acme')
        self.assertEqual(self.most('unnamed', server), 8)
        # The configuration says where this one lies: the two must agree.
        self.api(server, 'PATCH', 'projects/search', {'team_id': 'web'}, tenant='acme')
        error = self.check_error(self.call('search', 'own', server=server), 403, 'permission_denied')
        self.assertIn('project "search" of this key lies in team "web", and the configuration has it in team "ml"',
                      error['message'])
        self.check_error(server.get('/v1/models', key=server.keys['nightly']['key']), 403, 'permission_denied')
        self.api(server, 'PATCH', 'projects/search', {'team_id': 'ml'}, tenant='acme')
        self.assertEqual(self.leads_to('search', 'best', server), 'of-search')
        self.api(server, 'PATCH', 'teams/ml', {'name': 'machine-learning'}, tenant='acme')
        self.assertTrue(eventually(lambda: self.call('search', 'own', server=server).status == 403))
        server.stop()


class Changes(Levels):
    def test_live_change_above_shows_below(self):
        """By the API: in all that do not say otherwise, and in no other; taken back, it is as before."""
        server = self.spawn(config(self.fake))
        self.settle(server)
        self.assertEqual([self.leads_to(w, 'best', server) for w in ('tenant', 'web', 'ml', 'search')],
                         ['of-acme', 'of-acme', 'of-ml', 'of-search'])
        done = self.api(server, 'PATCH', 'config', {'tenants': {'acme': {'aliases': {'best': 'lab'}}}})
        (change,) = done['changes']
        self.assertEqual(change['key'], 'tenants.acme.aliases.best')
        self.assertEqual(change['touches']['tenants'], ['acme', 'child'])
        self.assertEqual(change['touches']['teams'], ['acme/ml', 'acme/web', 'child/ml'])
        self.assertEqual(change['touches']['projects'], ['acme/search', 'acme/shop'])
        self.assertEqual(change['touches']['keys'], ['acme/anywhere', 'acme/nightly'])
        self.assertEqual([self.leads_to(w, 'best', server) for w in ('tenant', 'web', 'ml', 'unnamed', 'search', 'nightly')],
                         ['lab', 'lab', 'lab', 'lab', 'of-search', 'of-ml'])
        done = self.api(server, 'PATCH', 'config', {'tenants': {'acme': {'teams': {'ml': {'limits': {'max_body': '3 KiB'}}}}}})
        (change,) = done['changes']
        self.assertEqual(change['key'], 'tenants.acme.teams.ml.limits.max_body')
        self.assertEqual({k: v for k, v in change['touches'].items() if v},
                         {'teams': ['acme/ml'], 'projects': ['acme/search'], 'keys': ['acme/nightly']})
        self.assertEqual([self.most(w, server) for w in ('tenant', 'ml', 'unnamed', 'search', 'nightly', 'web')],
                         [8, 3, 3, 3, 2, 8])
        # A new level is in force at once, too
        self.api(server, 'PATCH', 'config', {'tenants': {'acme': {'teams': {'plain': {'allow_models': ['lab']}}}}})
        self.assertEqual([self.leads_to('plain', n, server) for n in ('lab', 'own')], ['lab', 403])
        self.api(server, 'DELETE', 'config/live?key=tenants.acme.aliases.best')
        self.api(server, 'DELETE', 'config/live?key=tenants.acme.teams.ml.limits.max_body')
        self.assertEqual([self.leads_to(w, 'best', server) for w in ('tenant', 'ml')], ['of-acme', 'of-ml'])
        self.assertEqual(self.most('search', server), 4)
        server.stop()

    def test_wrong_changes_are_refused(self):
        server = self.spawn(config(self.fake))
        self.settle(server)
        for change, message in (({'projects': {'search': {'team': 'mk'}}}, 'has no team "mk" here; did you mean "ml"?'),
                                ({'teams': {'ml': None}}, 'has no team "ml" here'),
                                ({'teams': {'ml': {'limits': {'max_body': '9 KiB'}}}}, 'is above tenants[0].limits.max_body'),
                                ({'limits': {'max_body': '3 KiB'}}, 'is above tenants[0].limits.max_body'),
                                ({'keys': {'nightly': {'team': 'web'}}}, 'project "search" is of team "ml", not of "web"')):
            with self.subTest(message):
                reply = self.api(server, 'PATCH', 'config', {'tenants': {'acme': change}}, status=422)
                self.assertIn(message, json.dumps(reply, ensure_ascii=False).replace('\\"', '"'))
        self.assertEqual(self.most('search', server), 4)
        server.stop()

    def test_file_reload_above_shows_below(self):
        server = self.spawn(config(self.fake))
        self.settle(server)
        sizes = lambda: [self.most(w, server) for w in ('tenant', 'web', 'free', 'ml', 'search', 'nightly')]
        self.assertEqual(sizes(), [8, 8, 8, 4, 4, 2])
        changed = config(self.fake)
        acme = changed['tenants'][0]
        acme['teams'][0].pop('limits')
        acme['keys'][0]['limits']['max_body'] = '1 KiB'
        server.write_config(changed)
        server.signal(signal.SIGHUP)
        self.assertTrue(eventually(lambda: sizes() == [8, 8, 8, 8, 8, 1]), sizes())
        acme['limits']['max_body'] = '3 KiB'
        server.write_config(changed)
        server.signal(signal.SIGHUP)
        self.assertTrue(eventually(lambda: sizes() == [3, 3, 3, 3, 3, 1]), sizes())
        changed['tenants'][0] = {k: v for k, v in acme.items() if k not in ('teams', 'projects', 'keys')}
        server.write_config(changed)
        server.signal(signal.SIGHUP)
        self.assertTrue(eventually(lambda: sizes() == [3] * 6), sizes())
        self.assertEqual(self.leads_to('search', 'best', server), 'of-acme')
        server.stop()

    def test_diff(self):
        before, after = self.server.config_path, self.server.folder + '/after.yaml'
        changed = copy.deepcopy(config(self.fake))
        acme = changed['tenants'][0]
        acme['projects'][0]['aliases']['best'] = 'own'
        acme['keys'][0]['limits']['max_body'] = '1 KiB'
        server = self.spawn(changed, start=False)
        after = server.config_path
        done = self.server.cli('config', 'diff', before, after, '--json')
        self.assertEqual(done.returncode, 1, done.stderr)  # they differ
        said = json.loads(done.stdout)
        self.assertEqual([(c['key'], {k: v for k, v in c['touches'].items() if v}) for c in said['changes']],
                         [('tenants.acme.projects.search.aliases.best',
                           {'projects': ['acme/search'], 'keys': ['acme/nightly']}),
                          ('tenants.acme.keys.nightly.limits.max_body', {'keys': ['acme/nightly']})])
        because = {k['name']: k['because'] for k in said['keys']}
        self.assertEqual(because, {'of search': 'project acme/search', 'nightly': 'key acme/nightly',
                                   'anywhere': 'project acme/search'})
        text = self.server.cli('config', 'diff', before, after).stdout
        self.assertIn('~ tenants.acme.projects.search.aliases.best: search-own → own   live   projects acme/search; '
                      'keys acme/nightly\n', text)


class Explained(Levels):
    def trace(self, *args):
        done = self.server.cli('config', 'trace', *args, '--config', self.server.config_path)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.split('\n')[:-1]

    @staticmethod
    def levels(lines):
        """Who says what, the place left out."""
        return [' '.join(line.split('(')[0].split() + line.split(')')[-1].split() if '(' in line else line.split())
                for line in lines]

    def test_trace(self):
        said = self.levels(self.trace('limits.max_body', '--tenant', 'acme', '--key', 'nightly'))
        self.assertEqual(said, ['limits.max_body', 'default 32 MiB', 'tenant acme 8 KiB', 'team ml 4 KiB', '* key nightly 2 KiB'])
        said = self.levels(self.trace('limits.max_body', '--tenant', 'acme', '--project', 'search'))
        self.assertEqual(said[2:5], ['tenant acme 8 KiB', '* team ml 4 KiB', 'project search inherits'])
        lines = self.trace('limits.max_body', '--tenant', 'acme')
        self.assertRegex(lines[2], r'^  \* tenant acme \(.*penstock\.yaml:\d+:\d+\)  8 KiB$')
        below = [line.split() for line in lines[lines.index('  below:') + 1:]]
        self.assertEqual([b[:4] for b in below],
                         [['team', 'ml', '4', 'KiB'], ['team', 'web', 'inherits'], ['project', 'search', '4', 'KiB'],
                          ['project', 'shop', 'inherits'], ['key', 'nightly', '2', 'KiB'], ['key', 'anywhere', '3', 'KiB'],
                          ['tenant', 'child', 'inherits'], ['team', 'ml', 'of', 'tenant']])
        self.assertEqual(below[2][4:], ['(from', 'team', 'ml)'])

    def test_trace_json(self):
        (said,) = self.server.cli_json('config', 'trace', 'aliases.best', '--tenant', 'acme', '--project', 'search',
                                       '--config', self.server.config_path)
        self.assertEqual([(s.get('level'), s['value'], s['wins']) for s in said['steps']],
                         [(None, None, False), ('general', 'lab', False), ('tenant acme', 'own', False),
                          ('project search', 'search-own', True)])
        self.assertTrue(all(s['line'] for s in said['steps'][1:]))
        (below,) = said['below']
        self.assertEqual((below['level'], below['value'], below['inherits'], below['from']),
                         ('key nightly', 'own', False, 'key nightly'))

    def test_environment_and_live(self):
        server = self.spawn(config(self.fake), env={'PENSTOCK_TENANTS__ACME__TEAMS__ML__LIMITS__MAX_BODY': '3KiB'})
        self.settle(server)
        self.assertEqual(self.most('search', server), 3)
        done = server.cli('config', 'set', 'tenants.acme.projects.search.limits.max_body=2KiB', '--config', server.config_path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('live   projects acme/search; keys acme/nightly', done.stdout)
        self.assertEqual([self.most(w, server) for w in ('ml', 'search', 'nightly', 'unnamed')], [3, 2, 2, 3])
        reply = server.get('/api/v1/config?tenant=acme&project=search&key=limits.max_body&sources=1', key=server.operator)
        self.assertEqual(reply.status, 200, reply)
        (value,) = reply.json()['values']
        self.assertEqual((value['value'], value['level'], value['source']['layer']), ('2 KiB', 'project search', 'live'))
        self.assertEqual([(o['level'], o['value'], o['layer']) for o in value['overrides']],
                         [('team ml', '3 KiB', 'environment'), ('tenant acme', '8 KiB', 'file')])
        reply = server.get('/api/v1/config?tenant=acme&api_key=nightly&key=aliases', key=server.operator)
        self.assertEqual(reply.json()['values'], [{'key': 'aliases.best', 'value': 'own'}])
        self.assertEqual(server.get('/api/v1/config?tenant=acme&team=nobody', key=server.operator).status, 404)
        server.stop()

    def test_show(self):
        done = self.server.cli('config', 'show', '--tenant', 'acme', '--key', 'nightly', '--config', self.server.config_path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('name: nightly\nproject: search\nallow_models: [own, best]\n', done.stdout)
        self.assertIn('limits:\n  max_body: 2 KiB\n', done.stdout)

    def test_wrong_questions(self):
        for args, code, message in ((('--team', 'ml'), 2, '--team, --project and --key need --tenant'),
                                    (('--tenant', 'acme', '--team', 'ml', '--key', 'x'), 2, 'exclude each other'),
                                    (('--tenant', 'acme', '--team', 'mk'), None, 'has no team "mk" of tenant "acme"'),
                                    (('--tenant', 'nobody', '--team', 'ml'), None, 'there is no tenant "nobody"')):
            for command in (('trace', 'limits.max_body'), ('show',)):
                with self.subTest(command + args):
                    done = self.server.cli('config', *command, *args, '--config', self.server.config_path)
                    self.assertNotEqual(done.returncode, 0)
                    if code:
                        self.assertEqual(done.returncode, code)
                    self.assertIn(message, done.stderr)
                    self.assertEqual(done.stdout, '')


if __name__ == '__main__':
    main()
