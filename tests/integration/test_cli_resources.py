#!/usr/bin/env python3
# The commands on tenants, teams, people, grants, budgets and keys: on the data directory, and against a server.
import json

from harness import Suite, clean_environment, fake_provider, main, run_cli


class Resources(Suite):
    @classmethod
    def config(cls):
        return {'providers': [fake_provider(cls.fake)], 'log': {'format': 'json'},
                'models': [{'name': 'gpt-a', 'targets': [{'provider': 'fake', 'model': 'up'}]}]}

    def ok(self, *args, **more):
        done = self.server.cli(*args, **more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def one(self, *args):
        (row,) = self.server.cli_json(*args)
        return row

    def remote(self, key, *args):
        """The same command as somebody with this key, who does not see the data directory."""
        env = clean_environment(PENSTOCK_API_KEY=key, PENSTOCK_SERVER=f'http://127.0.0.1:{self.server.port}')
        return run_cli(*args, env=env)

    def test_a_tenant_from_nothing(self):
        tenant = self.one('tenant', 'create', 'name=alpha', 'title=Alpha Ltd', 'time_zone=Europe/Berlin')
        self.assertTrue(tenant['id'].startswith('tenant_'))
        own = ('--tenant', 'alpha')
        self.one('team', 'create', 'name=search', *own)
        project = self.one('project', 'create', 'name=assistant', 'team=search', 'tags=env=prod,tier=1', *own)
        self.assertEqual(project['tags'], {'env': 'prod', 'tier': '1'})
        user = self.one('user', 'create', 'email=Ada@Example.com', 'name=Ada', *own)
        self.assertEqual(user['email'], 'ada@example.com')
        self.ok('team', 'add', 'search', 'ada@example.com', *own)
        self.assertIn('ada@example.com', self.ok('team', 'members', 'search', *own).stdout)
        # Nothing granted: no rights. Granted to the team: hers too.
        self.assertEqual(self.server.cli('access', 'explain', 'user/ada@example.com', 'key:create', *own).returncode, 5)
        self.ok('grant', 'create', 'principal=team/search', 'role=developer', *own)
        done = self.ok('access', 'explain', 'user/ada@example.com', 'key:create', *own)
        self.assertTrue(done.stdout.startswith('yes: a grant allows it\n'), done.stdout)
        self.assertRegex(done.stdout, r'\n  by    grant_\w+ gives the role developer to team search in tenant alpha')
        done = self.server.cli('access', 'explain', 'user/ada@example.com', 'tenant:delete', *own)
        self.assertTrue(done.stdout.startswith('no: no grant allows it\n'), done.stdout)
        self.assertIn('its permissions do not hold this one', done.stdout)
        self.ok('team', 'remove', 'search', 'ada@example.com', *own)
        self.assertEqual(self.server.cli('access', 'explain', 'user/ada@example.com', 'key:create', *own).returncode, 5)
        # Every act is in the tenant's trail, once.
        actions = [e['action'] for e in self.server.cli_json('audit', 'list', *own)]
        for action in ('team.create', 'project.create', 'user.create', 'grant.create'):
            self.assertEqual(actions.count(action), 1, actions)
        self.ok('audit', 'verify', *own)

    def test_change_and_delete(self):
        self.one('team', 'create', 'name=short', 'title=Short lived')
        changed = self.one('team', 'update', 'short', 'title=Renamed', 'tags=a=b')
        self.assertEqual((changed['title'], changed['tags'], changed['version']), ('Renamed', {'a': 'b'}, 2))
        self.assertEqual(self.one('team', 'show', 'short')['title'], 'Renamed')
        self.assertEqual(self.one('team', 'show', changed['id'])['name'], 'short')
        self.ok('team', 'delete', 'short')
        done = self.server.cli('team', 'show', 'short')
        self.assertEqual(done.returncode, 4)
        self.assertIn('not found', done.stderr)

    def test_lists(self):
        for i in range(7):
            self.one('service-account', 'create', f'name=robot-{i}', f'title=Number {6 - i}')
        rows = self.server.cli_json('service-account', 'list', '--sort', '-name', '--search', 'robot-', '--limit', '3')
        self.assertEqual([r['name'] for r in rows], ['robot-6', 'robot-5', 'robot-4'])
        rows = self.server.cli_json('service-account', 'list', 'name=robot-2')
        self.assertEqual([r['title'] for r in rows], ['Number 4'])
        table = self.ok('service-account', 'list', '--fields', 'name,title', '--search', 'robot-1').stdout.split('\n')
        self.assertEqual(table[0].split(), ['NAME', 'TITLE'])
        self.assertEqual(table[1].split(), ['robot-1', 'Number', '5'])

    def test_budgets_of_a_key_by_its_name(self):
        key = self.server.create_key('--name', 'nightly')
        self.ok('budget', 'create', 'name=nightly', 'scope=key/nightly', 'metric=requests', 'period=minute', 'amount=60')
        (row,) = [r for r in self.server.cli_json('budget', 'list') if r['name'] == 'nightly']
        self.assertEqual(row['scope'], key['id'])
        self.server.create_key('--name', 'nightly')
        done = self.server.cli('budget', 'create', 'name=again', 'scope=key/nightly', 'metric=requests', 'amount=60')
        self.assertIn('use the id', done.stderr)
        done = self.server.cli('budget', 'create', 'name=again', 'scope=key/nobodys', 'metric=requests', 'amount=60')
        self.assertIn('there is, not "nobodys"', done.stderr)

    def test_what_is_wrong(self):
        done = self.server.cli('team', 'create', 'nam=x')
        self.assertEqual(done.returncode, 2)
        self.assertIn('did you mean name?', done.stderr)
        done = self.server.cli('team', 'create', 'bare', 'words')
        self.assertIn('"words" is not FIELD=VALUE', done.stderr)
        done = self.server.cli('grant', 'create', 'bare')
        self.assertIn('is not FIELD=VALUE', done.stderr)
        done = self.server.cli('team', 'create', 'bare', '--title', 'Words')
        self.assertIn('title=VALUE', done.stderr)
        done = self.server.cli('budget', 'create', 'name=b', 'metric=apples', 'amount=1')
        self.assertEqual(done.returncode, 2)
        self.assertIn('metric', done.stderr)
        self.one('team', 'create', 'twice')
        done = self.server.cli('team', 'create', 'name=twice')
        self.assertEqual(done.returncode, 1)
        self.assertIn('twice', done.stderr)
        done = self.server.cli('team', 'list', '--tenant', 'nowhere')
        self.assertNotEqual(done.returncode, 0)
        for command in ('grant create', 'key update'):
            text = self.ok(*command.split(), '--help').stdout
            self.assertIn('Fields:', text)

    def test_against_a_server(self):
        self.one('tenant', 'create', 'name=beta')
        self.one('project', 'create', 'name=site', '--tenant', 'beta')
        self.one('service-account', 'create', 'name=deploy', '--tenant', 'beta')
        self.ok('grant', 'create', 'principal=service_account/deploy', 'role=viewer', '--tenant', 'beta')
        admin = self.server.create_key('--admin')['key']
        done = self.remote(admin, 'project', 'list', '--tenant', 'beta', '--json')
        self.assertEqual([json.loads(line)['name'] for line in done.stdout.split('\n') if line], ['site'], done.stderr)
        # A key for models has no business here, and cannot name another tenant.
        done = self.remote(self.server.key, 'project', 'list')
        self.assertEqual(done.returncode, 5, done.stdout + done.stderr)
        done = self.remote(self.server.key, 'project', 'list', '--tenant', 'beta')
        self.assertEqual(done.returncode, 5, done.stdout + done.stderr)
        done = self.remote('ps-' + 'A' * 43, 'project', 'list')
        self.assertEqual(done.returncode, 5)
        done = run_cli('project', 'list', '--server', 'http://127.0.0.1:1', env=clean_environment(PENSTOCK_API_KEY=admin))
        self.assertEqual(done.returncode, 6)
        done = run_cli('project', 'list', '--server', 'http://127.0.0.1:1', env=clean_environment())
        self.assertIn('PENSTOCK_API_KEY', done.stderr)

    def test_tables_say_names(self):
        own = ('--tenant', 'naming')
        self.one('tenant', 'create', 'name=naming')
        self.one('team', 'create', 'name=search', 'title=Search', *own)
        self.one('project', 'create', 'name=web', 'team=search', *own)
        self.one('user', 'create', 'email=ada@example.com', *own)
        self.one('grant', 'create', 'principal=user/ada@example.com', 'role=developer', 'scope=project/web', *own)
        self.one('grant', 'create', 'principal=team/search', 'role=viewer', *own)

        def table(*args):
            return [line.split() for line in self.ok(*args, *own).stdout.split('\n') if line]

        self.assertEqual([row[:4] for row in table('grant', 'list')],
                         [['PRINCIPAL', 'EFFECT', 'ROLE', 'SCOPE'], ['user/ada@example.com', 'allow', 'developer', 'project/web'],
                          ['team/search', 'allow', 'viewer', 'tenant']])
        self.assertEqual([row[:2] for row in table('project', 'list')], [['NAME', 'TEAM'], ['web', 'search']])
        self.assertEqual(table('team', 'list')[0], ['NAME', 'TITLE', 'ID'])  # nothing empty
        self.assertRegex(self.ok('project', 'show', 'web', *own).stdout, r'\nteam_id +team_\w+ \(search\)\n')
        # In JSON all is as it is.
        (row,) = [r for r in self.server.cli_json('grant', 'list', *own) if r['role'] == 'viewer']
        self.assertTrue(row['principal'].startswith('team_'))

    def test_keys_by_the_api(self):
        own = ('--tenant', 'keyed')
        self.one('tenant', 'create', 'name=keyed')
        self.one('user', 'create', 'email=ada@example.com', *own)
        self.ok('grant', 'create', 'principal=user/ada@example.com', 'role=service', *own)
        admin = self.server.create_key('--admin')['key']
        done = self.remote(admin, 'key', 'create', 'owner=user/ada@example.com', '--name', 'hers', '--models', 'gpt-*',
                           '--expires', '1d', *own)
        self.assertEqual(done.returncode, 0, done.stderr)
        text = done.stdout.strip()
        self.assertIn('shown only this once', done.stderr)
        call = {'Authorization': 'Bearer ' + text}
        self.assertEqual(self.server.chat('gpt-a', headers=call).status, 200)
        done = self.remote(admin, 'key', 'list', *own)
        self.assertRegex(done.stdout, r'NAME +PREFIX +OWNER +STATE +EXPIRES AT +(LAST USED AT +)?ID\nhers +' + text[:9] +
                         r' +user/ada@example.com +active')
        self.assertNotIn(text, done.stdout)
        done = self.remote(admin, 'key', 'revoke', 'hers', *own)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.server.chat('gpt-a', headers=call).status, 401)
        self.assertEqual(self.remote(admin, 'key', 'revoke', 'nothing', *own).returncode, 4)
        self.assertEqual(self.remote(admin, 'key', 'create', 'owner=user/nobody', *own).returncode, 2)
        # As somebody else, with what they may.
        self.assertEqual(self.remote(self.server.key, 'key', 'create', '--name', 'x').returncode, 5)

    def test_sessions(self):
        self.assertIn('Nobody', self.ok('session', 'list').stderr)
        self.one('user', 'create', 'email=signs@example.com')
        good = 'correct horse battery staple'
        self.assertEqual(self.server.cli('user', 'passwd', 'signs@example.com', '--keep', stdin=good + '\n').returncode, 0)
        reply = self.server.request('POST', '/api/v1/session',
                                    body=json.dumps({'email': 'signs@example.com', 'password': good}).encode())
        self.assertEqual(reply.status, 200, reply)
        (row,) = self.server.cli_json('session', 'list', 'signs@example.com')
        table = self.ok('session', 'list').stdout
        self.assertRegex(table, r'^USER +SIGNED IN .* ID\nsigns@example.com .*' + row['id'])
        self.ok('session', 'revoke', row['id'])
        cookie = {'Cookie': reply.header('set-cookie').split(';')[0]}
        self.assertEqual(self.server.request('GET', '/api/v1/session', headers=cookie).status, 401)
        self.assertEqual(self.server.cli('session', 'revoke', row['id']).returncode, 4)
        self.assertEqual(self.server.cli('session', 'list', 'nobody@example.com').returncode, 4)

    def test_rotating_a_key(self):
        old = self.server.create_key('--name', 'turning')
        new = self.one('key', 'rotate', 'turning', 'overlap=1h')
        text = new['key']
        for key in (old['key'], text):
            self.assertEqual(self.server.chat('gpt-a', headers={'Authorization': 'Bearer ' + key}).status, 200)
        self.ok('key', 'revoke', old['id'])
        self.assertEqual(self.server.chat('gpt-a', headers={'Authorization': 'Bearer ' + old['key']}).status, 401)
        self.assertEqual(self.server.chat('gpt-a', headers={'Authorization': 'Bearer ' + text}).status, 200)
        self.assertNotIn(text, self.ok('key', 'show', new['id']).stdout)

    def test_suspended(self):
        self.one('tenant', 'create', 'name=gamma')
        key = self.server.create_key('--tenant', 'gamma')['key']
        call = {'Authorization': 'Bearer ' + key}
        self.assertEqual(self.server.chat('gpt-a', headers=call).status, 200)
        self.ok('tenant', 'suspend', 'gamma', 'reason=unpaid')
        self.assertEqual(self.server.chat('gpt-a', headers=call).status, 403)
        self.ok('tenant', 'resume', 'gamma')
        self.assertEqual(self.server.chat('gpt-a', headers=call).status, 200)


if __name__ == '__main__':
    main()
