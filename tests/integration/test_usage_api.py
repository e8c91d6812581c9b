#!/usr/bin/env python3
# Usage by the admin API: requests one by one, page by page, and what they add up to, each tenant its own.
from urllib.parse import quote

from harness import Suite, fake_provider, main


class Usage(Suite):
    @classmethod
    def config(cls):
        return {'providers': [fake_provider(cls.fake)], 'log': {'format': 'json'}, 'passthrough_models': True,
                'prices': {'gpt-a': {'input': 2, 'output': 4}, 'fake/free': {'input': 0.5, 'output': 1}},
                'usage': {'reference_model': 'gpt-a'},
                'models': [{'name': 'gpt-a', 'targets': [{'provider': 'fake', 'model': 'up'}]}]}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = cls.server.create_key('--admin')['key']
        for name in ('one', 'two'):
            cls.server.cli_json('tenant', 'create', f'name={name}')
        cls.keys = {t: cls.server.create_key('--tenant', t, '--name', 'of-' + t) for t in ('one', 'two')}
        for tenant, n in (('one', 7), ('two', 3)):
            for i in range(n):
                reply = cls.server.chat('gpt-a' if i % 2 else 'fake/free',
                                        headers={'Authorization': 'Bearer ' + cls.keys[tenant]['key']})
                assert reply.status == 200, reply

    def ask(self, path, tenant='one', key=None, status=200):
        reply = self.server.get('/api/v1/usage' + path, key=key or self.admin, headers={'X-Penstock-Tenant': tenant})
        self.assertEqual(reply.status, status, reply)
        return reply.json()

    def test_pages(self):
        seen, cursor = [], ''
        for _ in range(10):
            page = self.ask(f'?limit=3{cursor}')
            seen += [r['request_id'] for r in page['data']]
            if not page['next_cursor']:
                break
            cursor = '&cursor=' + quote(page['next_cursor'])
        self.assertEqual((len(seen), len(set(seen))), (7, 7))
        (one,) = self.ask(f'?request_id={seen[3]}')['data']
        self.assertEqual((one['request_id'], one['key']), (seen[3], self.keys['one']['id']))
        self.assertEqual(len(self.ask('?model=gpt-a')['data']), 3)
        self.assertEqual(self.ask('?errors=true')['data'], [])

    def test_sums(self):
        rows = {r['model']: r for r in self.ask('/sums?by=model')['data']}
        self.assertEqual({m: r['requests'] for m, r in rows.items()}, {'gpt-a': 3, 'fake/free': 4})
        listed = [r for r in self.ask('?model=gpt-a')['data']]
        self.assertAlmostEqual(rows['gpt-a']['cost_usd'], sum(r['cost_usd'] for r in listed), 9)
        self.assertGreater(rows['gpt-a']['cost_usd'], 0)
        for by in ('key', 'provider', 'day', 'hour', 'team', 'project', 'owner', 'endpoint', 'status', 'error', 'tags', 'task', 'month'):
            self.assertEqual(sum(r['requests'] for r in self.ask('/sums?by=' + by)['data']), 7, by)

    def test_savings(self):
        rows = {r['model']: r for r in self.ask('/sums?by=model')['data']}
        # The reference model saves nothing beside itself; one at a quarter of the price, three quarters.
        self.assertGreater(rows['gpt-a']['reference_usd'], 0)
        self.assertEqual((rows['gpt-a']['reference_usd'], rows['gpt-a']['saved_usd']), (rows['gpt-a']['cost_usd'], 0))
        free = rows['fake/free']
        self.assertAlmostEqual(free['reference_usd'], 4 * free['cost_usd'], 9)
        self.assertAlmostEqual(free['saved_usd'], 3 * free['cost_usd'], 9)
        self.assertEqual(free['attempts'], 4)
        one = self.ask('?model=fake/free')['data'][0]
        self.assertAlmostEqual(one['saved_usd'], one['reference_usd'] - one['cost_usd'], 9)
        self.assertEqual((one['attempts'], one['task']), (1, None))
        (task,) = self.ask('/sums?by=task')['data']
        self.assertEqual((task['task'], task['requests']), (None, 7))
        self.assertEqual(self.ask('/sums?task=code')['data'], [])
        done = self.server.cli('usage', '--savings', '--by', 'model', '--tenant', 'one')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r'MODEL +REQUESTS +COST \$ +REFERENCE \$ +SAVED \$ +SAVED %')
        self.assertRegex(done.stdout, r'fake/free +4 .* 75\.0\n')
        self.assertRegex(done.stdout, r'gpt-a +3 .* 0\.0\n')
        self.assertIn('On the reference model they would have cost', done.stderr)
        self.assertEqual(self.server.cli('usage', '--savings', '--records').returncode, 2)
        metrics = self.server.get('/metrics', key=self.admin).body.decode()
        self.assertIn('penstock_reference_cost_usd_total{model="gpt-a",provider="fake"}', metrics)
        self.assertIn('penstock_compared_cost_usd_total{model="gpt-a",provider="fake"}', metrics)

    def test_of_ones_own_tenant_only(self):
        self.assertEqual(sum(r['requests'] for r in self.ask('/sums', 'two')['data']), 3)
        mine = self.ask('?limit=1')['data'][0]['request_id']
        self.assertEqual(self.ask(f'?request_id={mine}', 'two')['data'], [])
        # Another's key is as unknown as one that never was.
        there = self.ask(f'?key={self.keys["one"]["id"]}', 'two', status=404)
        never = self.ask('?key=key_0000000000zzz', 'two', status=404)
        self.assertEqual(there['detail'], never['detail'])
        # A key for models reads no usage; one of a tenant names no other.
        self.ask('', key=self.keys['one']['key'], status=403)
        self.ask('', tenant='two', key=self.keys['one']['key'], status=403)

    def test_what_is_wrong(self):
        for path, field in (('?since=yesterday', 'since'), ('?limit=x', 'limit'), ('?cursor=zz', 'cursor'),
                            ('/sums?by=colour', 'by'), ('?endpoint=tea', 'endpoint'), ('?request_id=7', 'request_id')):
            self.assertEqual(self.ask(path, status=400).get('field'), field, path)


if __name__ == '__main__':
    main()
