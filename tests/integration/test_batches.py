#!/usr/bin/env python3
# Files and batches over HTTP: what is put in comes out, each line of a batch once whatever crashes, faults of every kind.
#
# PENSTOCK_BATCH_LINES says how many lines the batch has in whose middle the server is killed (800; the row has 10,000).
import collections
import json
import os
import random
import re
import signal
import subprocess
import time

from harness import BINARY, WAIT, Suite, clean_environment, eventually, fake_provider, main, run_cli

LINES = int(os.environ.get('PENSTOCK_BATCH_LINES', '800'))
BOUNDARY = 'xxBOUNDARYxx'
ENDED = ('completed', 'failed', 'expired', 'cancelled')


def form(content, purpose='batch', name='in.jsonl', **more):
    parts = [('purpose', None, purpose.encode())] if purpose is not None else []
    parts += [(k, None, v.encode()) for k, v in more.items()]
    if content is not None:
        parts.append(('file', name, content))
    out = b''
    for field, filename, value in parts:
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"'
        head += f'; filename="{filename}"' if filename is not None else ''
        out += head.encode() + b'\r\n\r\n' + value + b'\r\n'
    return out + f'--{BOUNDARY}--\r\n'.encode()


def line(custom_id, text='Hello', model='gpt-small', url='/v1/chat/completions', method='POST', **body):
    return {'custom_id': custom_id, 'method': method, 'url': url,
            'body': {'model': model, 'messages': [{'role': 'user', 'content': text}], **body}}


def jsonl(lines):
    return b''.join(json.dumps(x).encode() + b'\n' if not isinstance(x, bytes) else x for x in lines)


class Client:
    def __init__(self, server, key=None):
        self.server, self.key = server, key or server.key

    def put(self, content, **more):
        return self.server.request('POST', '/v1/files', form(content, **more),
                                   {'Content-Type': f'multipart/form-data; boundary={BOUNDARY}'}, self.key, timeout=60)

    def get(self, path):
        return self.server.get(path, key=self.key)

    def delete(self, path):
        return self.server.request('DELETE', path, key=self.key)

    def make(self, file, endpoint='/v1/chat/completions', **more):
        body = {'input_file_id': file, 'endpoint': endpoint, 'completion_window': '24h', **more}
        return self.server.post('/v1/batches', json.dumps(body).encode(), key=self.key)

    def run(self, lines, **more):
        file = self.put(jsonl(lines)).json()
        return self.make(file['id'], **more).json()

    def batch(self, batch):
        return self.get('/v1/batches/' + batch['id']).json()

    def ended(self, batch, seconds=60):
        eventually(lambda: self.batch(batch)['status'] in ENDED, seconds)
        return self.batch(batch)

    def lines(self, file):
        if file is None:
            return []
        reply = self.get(f'/v1/files/{file}/content')
        assert reply.status == 200, reply
        return [json.loads(x) for x in reply.body.decode().split('\n') if x]


class Batches(Suite):
    @classmethod
    def config(cls):
        return {'providers': [fake_provider(cls.fake), {'name': 'offline', 'kind': 'demo'}],
                'tenants': [{'name': 'elsewhere'}], 'limits': {'max_body': '1 MiB'},
                'server': {'drain_timeout': '2s'},
                'files': {'max_size': '3 MiB', 'max_total': '40 MiB'},
                'batches': {'concurrency': 24, 'max_lines': max(LINES, 2000), 'retries': 2}}

    def setUp(self):
        super().setUp()
        self.client = Client(self.server)

    # --- files ---

    def test_a_file_and_its_ways(self):
        content = random.Random(1).randbytes(600 * 1024) + b'\r\n--' + BOUNDARY.encode()[:-1] + b'\r\n'
        reply = self.client.put(content, purpose='user_data', name='Übung 1.bin')
        self.assertEqual(reply.status, 200, reply)
        file = reply.json()
        self.assertEqual({**file, 'id': '', 'created_at': 0},
                         {'id': '', 'object': 'file', 'bytes': len(content), 'created_at': 0, 'filename': 'Übung 1.bin',
                          'purpose': 'user_data', 'status': 'processed', 'status_details': None})
        self.assertRegex(file['id'], r'^file-[0-9a-z]{13}$')
        self.assertLess(abs(file['created_at'] - time.time()), 60)
        self.assertEqual(self.client.get('/v1/files/' + file['id']).json(), file)
        got = self.client.get(f'/v1/files/{file["id"]}/content')
        self.assertEqual((got.status, got.body, got.header('content-length')), (200, content, str(len(content))))
        self.assertEqual(self.client.delete('/v1/files/' + file['id']).json(),
                         {'id': file['id'], 'object': 'file', 'deleted': True})
        for path in ('/v1/files/' + file['id'], f'/v1/files/{file["id"]}/content'):
            self.assertEqual((self.client.get(path).status, self.client.get(path).error()['code']), (404, 'not_found'))
        self.assertEqual(self.client.delete('/v1/files/' + file['id']).status, 404)

    def test_an_empty_file_and_one_of_whole_pieces(self):
        for n in (0, 1, 256 * 1024, 512 * 1024, 256 * 1024 * 4, 256 * 1024 * 4 + 1):
            content = random.Random(n).randbytes(n)
            file = self.client.put(content, purpose='user_data', name='x').json()
            self.assertEqual(file['bytes'], n)
            self.assertEqual(self.client.get(f'/v1/files/{file["id"]}/content').body, content)
            self.client.delete('/v1/files/' + file['id'])

    def test_lists_of_files_go_page_by_page(self):
        ids = [self.client.put(b'x', purpose='evals', name=f'{i}').json()['id'] for i in range(5)]
        self.client.put(b'x', purpose='vision')
        page = self.client.get('/v1/files?purpose=evals&limit=3').json()
        self.assertEqual([f['id'] for f in page['data']], ids[:1:-1])
        self.assertEqual((page['object'], page['has_more'], page['first_id'], page['last_id']),
                         ('list', True, ids[4], ids[2]))
        page = self.client.get('/v1/files?purpose=evals&limit=3&after=' + ids[2]).json()
        self.assertEqual(([f['id'] for f in page['data']], page['has_more']), (ids[1::-1], False))
        page = self.client.get('/v1/files?purpose=evals&order=asc&limit=2').json()
        self.assertEqual([f['id'] for f in page['data']], ids[:2])
        page = self.client.get('/v1/files?purpose=assistants').json()
        self.assertEqual(page, {'object': 'list', 'data': [], 'first_id': None, 'last_id': None, 'has_more': False})
        for query in ('limit=0', 'limit=10001', 'limit=x', 'order=up', 'after=file-1', 'after=%00'):
            self.assertEqual(self.client.get('/v1/files?' + query).status, 400, query)

    def test_files_that_are_refused(self):
        def refused(status, param, reply):
            self.assertEqual((reply.status, reply.error()['param']), (status, param), reply)
        refused(400, 'file', self.client.put(None))
        refused(400, 'purpose', self.client.put(b'x', purpose=None))
        refused(400, 'purpose', self.client.put(b'x', purpose='fun'))
        refused(400, 'file', self.client.put(b'x', name=''))
        refused(400, 'file', self.client.put(b'x', name='x' * 600))
        refused(400, 'expires_after.anchor', self.client.put(b'x', **{'expires_after[seconds]': '3600'}))
        refused(400, 'expires_after.seconds', self.client.put(b'x', **{'expires_after[anchor]': 'created_at',
                                                                       'expires_after[seconds]': '3599'}))
        refused(413, None, self.client.put(b'x' * (3 * 1024 * 1024 + 1)))
        self.assertEqual(self.client.put(b'x' * (3 * 1024 * 1024)).status, 200)
        whole = form(b'x')
        for body, kind in ((b'', 'multipart/form-data; boundary=' + BOUNDARY), (whole, 'application/json'),
                           (whole[:-10], 'multipart/form-data; boundary=' + BOUNDARY), (whole, 'multipart/form-data')):
            reply = self.server.request('POST', '/v1/files', body, {'Content-Type': kind}, self.server.key)
            self.assertEqual((reply.status, reply.error()['type']), (400, 'invalid_request_error'))
        for method, path in (('PUT', '/v1/files'), ('POST', '/v1/files/file-1'), ('DELETE', '/v1/batches/batch_1')):
            self.assertEqual(self.server.request(method, path, b'{}', key=self.server.key).status, 405)
        for path in ('/v1/files/file-0000000000000', '/v1/files/file-zzzzzzzzzzzzz', '/v1/files/nothing/content',
                     '/v1/files/a/b', '/v1/files/../keys', '/v1/batches/batch_0000000000000', '/v1/batches/x'):
            self.assertEqual(self.client.get(path).status, 404, path)
        self.assertEqual(self.server.get('/v1/files').status, 401)
        self.assertEqual(self.server.get('/v1/batches').status, 401)

    def test_a_file_may_be_larger_than_other_bodies(self):
        content = random.Random(5).randbytes(2 * 1024 * 1024 + 77)
        file = self.client.put(content, purpose='user_data').json()
        self.assertEqual(self.client.get(f'/v1/files/{file["id"]}/content').body, content)
        body = form(content, purpose='user_data')
        chunks = b''.join(b'%x\r\n%s\r\n' % (len(p), p) for p in (body[:1500000], body[1500000:]))
        with self.server.conn() as c:
            c.send(f'POST /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.server.key}\r\nTransfer-Encoding: chunked\r\n'
                   f'Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n'.encode() + chunks + b'0\r\n\r\n')
            self.assertEqual(c.read().json()['bytes'], len(content))
        for method, path in (('POST', '/v1/chat/completions'), ('PUT', '/v1/files'), ('POST', '/v1/files/x'), ('POST', '/v1/batches')):
            self.assertEqual(self.server.request(method, path, content, key=self.server.key).status, 413, path)
        self.assertEqual(self.server.request('POST', '/v1/files', b'x' * (4 * 1024 * 1024), key=self.server.key).status, 413)

    def test_those_who_leave_in_the_middle(self):
        file = self.client.put(random.Random(6).randbytes(3 * 1024 * 1024 - 5), purpose='user_data').json()
        for _ in range(5):
            with self.server.conn(rcvbuf=4096) as c:
                c.send(f'GET /v1/files/{file["id"]}/content HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.server.key}\r\n\r\n')
                c.read_head()
                c.reset()
            body = form(b'x' * (2 * 1024 * 1024))
            with self.server.conn() as c:
                c.send(f'POST /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.server.key}\r\nContent-Length: {len(body)}'
                       f'\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n'.encode() + body)
                c.reset()
        self.assertEqual(self.client.get(f'/v1/files/{file["id"]}').status, 200)
        with self.server.conn(rcvbuf=4096) as c:  # a slow reader gets all of it
            c.send(f'GET /v1/files/{file["id"]}/content HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.server.key}\r\n\r\n')
            self.assertEqual(len(c.read().body), file['bytes'])

    def test_a_file_that_expires(self):
        file = self.client.put(b'x', **{'expires_after[anchor]': 'created_at', 'expires_after[seconds]': '3600'}).json()
        self.assertEqual(file['expires_at'], file['created_at'] + 3600)

    # --- batches ---

    def test_a_batch(self):
        lines = [line('a'), line('b', model='gpt-small;status=400'), line('ü "c"\n', model='no-such/model')]
        batch = self.client.run(lines, metadata={'for': 'tests'})
        self.assertEqual((batch['object'], batch['endpoint'], batch['completion_window'], batch['metadata']),
                         ('batch', '/v1/chat/completions', '24h', {'for': 'tests'}))
        self.assertEqual((batch['status'], batch['expires_at'] - batch['created_at']), ('validating', 24 * 3600))
        batch = self.client.ended(batch)
        self.assertEqual((batch['status'], batch['request_counts'], batch['errors']),
                         ('completed', {'total': 3, 'completed': 1, 'failed': 2}, None))
        for at in ('in_progress_at', 'finalizing_at', 'completed_at'):
            self.assertGreaterEqual(batch[at], batch['created_at'])
        for at in ('failed_at', 'expired_at', 'cancelling_at', 'cancelled_at'):
            self.assertIsNone(batch[at])
        [out] = self.client.lines(batch['output_file_id'])
        self.assertEqual((out['custom_id'], out['error'], out['response']['status_code']), ('a', None, 200))
        self.assertRegex(out['id'], '^batch_req_')
        self.assertRegex(out['response']['request_id'], '^req_')
        self.assertEqual(out['response']['body']['object'], 'chat.completion')
        errors = {x['custom_id']: x for x in self.client.lines(batch['error_file_id'])}
        self.assertEqual(set(errors), {'b', 'ü "c"\n'})
        self.assertEqual(errors['b']['response']['status_code'], 400)
        self.assertEqual(errors['ü "c"\n']['response']['body']['error']['code'], 'model_not_found')
        file = self.client.get('/v1/files/' + batch['output_file_id']).json()
        self.assertEqual((file['purpose'], file['filename']), ('batch_output', batch['id'] + '_output.jsonl'))

    def test_each_line_is_a_request_of_the_key(self):
        key = self.server.create_key('--name', 'of the batch', '--models', 'gpt-small')['key']
        client = Client(self.server, key)
        batch = client.ended(client.run([line('may'), line('not', model='gpt-other')]))
        self.assertEqual(batch['request_counts'], {'total': 2, 'completed': 1, 'failed': 1})
        [error] = client.lines(batch['error_file_id'])
        self.assertEqual((error['custom_id'], error['response']['status_code']), ('not', 403))
        [out] = client.lines(batch['output_file_id'])
        self.assertTrue(eventually(lambda: [x for x in self.server.cli_json('usage', '--by', 'key')
                                            if x.get('requests') == 2 and 'of the batch' in json.dumps(x)]))
        self.assertEqual([r['batch'] for r in self.server.usage('--key', 'of the batch')], [True, True])

    def test_files_that_are_no_batch(self):
        def fails(content, *codes):
            batch = self.client.ended(self.client.make(self.client.put(content).json()['id']).json())
            self.assertEqual(batch['status'], 'failed', batch)
            self.assertEqual([(e['code'], e['line'], e['param']) for e in batch['errors']['data']], list(codes))
            self.assertEqual((batch['output_file_id'], batch['request_counts']['total']), (None, 0))
        fails(b'', ('empty_file', None, None))
        fails(b'\n \r\n', ('empty_file', None, None))
        fails(b'{"custom_id":1', ('invalid_json_line', 1, None))
        fails(jsonl([line('a'), b'\n', b'\xff\n', line('a')]), ('invalid_json_line', 3, None),
              ('duplicate_custom_id', 4, 'custom_id'))
        fails(jsonl([{'method': 'POST'}, line(''), line('b', method='GET'), line('c', url='/v1/embeddings'),
                     {**line('d'), 'body': []}, line('e', stream=True), {**line('f'), 'body': {}}, [], line(5)]),
              ('missing_required_parameter', 1, 'custom_id'), ('invalid_custom_id', 2, 'custom_id'),
              ('invalid_method', 3, 'method'), ('mismatched_url', 4, 'url'), ('invalid_type', 5, 'body'),
              ('invalid_value', 6, 'body.stream'), ('missing_required_parameter', 7, 'body.model'),
              ('invalid_json_line', 8, None), ('invalid_type', 9, 'custom_id'))
        fails(b'{}\n' * 300, *[('missing_required_parameter', i + 1, 'custom_id') for i in range(100)])
        fails(jsonl([line(str(i)) for i in range(max(LINES, 2000) + 1)]), ('too_many_tasks', None, None))

    def test_odd_but_good_files(self):
        content = b'\xef\xbb\xbf' + jsonl([line('a')]).replace(b'\n', b'\r\n') + b'\n\n' + jsonl([line('b')])[:-1]
        batch = self.client.ended(self.client.make(self.client.put(content).json()['id']).json())
        self.assertEqual((batch['status'], batch['request_counts']['completed']), ('completed', 2))
        long = line('long', 'x' * 700_000)
        batch = self.client.ended(self.client.run([long, line('short')]))
        self.assertEqual(batch['request_counts']['completed'], 2)
        batch = self.client.ended(self.client.run(
            [{'custom_id': 'e', 'method': 'POST', 'url': '/v1/embeddings', 'body': {'model': 'gpt-embed', 'input': ['x']}}],
            endpoint='/v1/embeddings'))
        self.assertEqual(batch['request_counts']['completed'], 1)

    def test_other_dialects(self):
        said = {'model': 'gpt-small', 'max_tokens': 10, 'messages': [{'role': 'user', 'content': 'Hello'}]}
        for endpoint, body, kind in (('/v1/messages', said, ('type', 'message')),
                                     ('/v1/responses', {'model': 'gpt-small', 'input': 'Hello'}, ('object', 'response')),
                                     ('/v1/completions', {'model': 'gpt-small', 'prompt': 'Hello'}, ('object', 'text_completion'))):
            batch = self.client.ended(self.client.run([{'custom_id': 'a', 'method': 'POST', 'url': endpoint, 'body': body}],
                                                      endpoint=endpoint))
            self.assertEqual(batch['request_counts'], {'total': 1, 'completed': 1, 'failed': 0},
                             self.client.lines(batch['error_file_id']))
            [out] = self.client.lines(batch['output_file_id'])
            self.assertEqual(out['response']['body'][kind[0]], kind[1])

    def test_batches_that_are_refused(self):
        file = self.client.put(jsonl([line('a')])).json()['id']
        other = self.client.put(b'x', purpose='user_data').json()['id']
        good = {'input_file_id': file, 'endpoint': '/v1/chat/completions', 'completion_window': '24h'}
        for change, status, param in (({'input_file_id': None}, 400, 'input_file_id'),
                                      ({'input_file_id': 'file-1'}, 404, 'input_file_id'),
                                      ({'input_file_id': 'file-0000000000zzz'}, 404, None),
                                      ({'input_file_id': other}, 400, 'input_file_id'),
                                      ({'endpoint': '/v1/models'}, 400, 'endpoint'), ({'endpoint': 3}, 400, 'endpoint'),
                                      ({'completion_window': '1h'}, 400, 'completion_window'),
                                      ({'metadata': {'a': 1}}, 400, 'metadata'),
                                      ({'metadata': {str(i): '' for i in range(17)}}, 400, 'metadata'),
                                      ({'concurrency': 0}, 400, 'concurrency'),
                                      ({'output_expires_after': {'anchor': 'x', 'seconds': 3600}}, 400,
                                       'output_expires_after.anchor')):
            reply = self.server.post('/v1/batches', json.dumps({**good, **change}).encode())
            self.assertEqual((reply.status, reply.error()['param']), (status, param), (change, reply))
        for body in (b'', b'[]', b'{', b'\xff'):
            self.assertEqual(self.server.post('/v1/batches', body).status, 400)

    def test_lists_of_batches(self):
        batches = [self.client.run([line(str(i))])['id'] for i in range(3)]
        page = self.client.get('/v1/batches?limit=2').json()
        self.assertEqual(([b['id'] for b in page['data']], page['has_more']), (batches[:0:-1], True))
        page = self.client.get('/v1/batches?limit=1&after=' + batches[1]).json()
        self.assertEqual([b['id'] for b in page['data']], batches[:1])
        self.assertEqual(self.client.get('/v1/batches?limit=101').status, 400)

    def test_what_fails_for_a_while_is_tried_again(self):
        model = 'gpt-small;status=503'
        batch = self.client.ended(self.client.run([line('a', model=model)]))
        self.assertEqual(batch['request_counts'], {'total': 1, 'completed': 0, 'failed': 1})
        self.assertEqual(len([s for s in self.fake.seen if s.model == model]), 3)
        [error] = self.client.lines(batch['error_file_id'])
        self.assertEqual(error['response']['status_code'], 503)

    def test_cancelling(self):
        batch = self.client.run([line(str(i), model='gpt-small;delay=150') for i in range(400)], concurrency=4)
        path = '/v1/batches/' + batch['id']
        self.assertTrue(eventually(lambda: self.client.batch(batch)['request_counts']['completed'] > 3))
        self.assertEqual(self.client.delete('/v1/files/' + batch['input_file_id']).status, 409)
        self.assertEqual(self.server.post(path + '/cancel', b'').json()['status'], 'cancelling')
        self.assertIn(self.server.post(path + '/cancel', b'').json()['status'], ('cancelling', 'finalizing', 'cancelled'))
        batch = self.client.ended(batch)
        self.assertEqual(batch['status'], 'cancelled')
        done, not_done = self.client.lines(batch['output_file_id']), self.client.lines(batch['error_file_id'])
        self.assertEqual(sorted(int(x['custom_id']) for x in done + not_done), list(range(400)))
        self.assertEqual(len(done), batch['request_counts']['completed'])
        self.assertEqual({x['error']['code'] for x in not_done}, {'batch_cancelled'})
        reply = self.server.post(path + '/cancel', b'')
        self.assertEqual((reply.status, reply.error()['code']), (409, 'wrong_state'))

    def test_others_see_nothing(self):
        tenant = self.server.create_key('--name', 'other', '--tenant', 'elsewhere')['key']
        other = Client(self.server, tenant)
        file = self.client.put(jsonl([line('a')])).json()['id']
        batch = self.client.make(file).json()
        for path in (f'/v1/files/{file}', f'/v1/files/{file}/content', '/v1/batches/' + batch['id']):
            mine, theirs = self.client.get(path), other.get(path)
            self.assertEqual((mine.status, theirs.status), (200, 404), path)
            nobodys = other.get(re.sub('[0-9a-z]{4}(/content)?$', r'zzzz\1', path))
            self.assertEqual(theirs.error(), {**nobodys.error()})
        self.assertEqual(other.delete('/v1/files/' + file).status, 404)
        self.assertEqual(other.make(file).status, 404)
        self.assertEqual(self.server.post(f'/v1/batches/{batch["id"]}/cancel', b'', key=tenant).status, 404)
        self.assertEqual(other.get('/v1/files').json()['data'], [])
        self.server.cli('project', 'create', 'name=apart')
        done = self.server.cli('key', 'create', 'project=apart', '--json')
        self.assertEqual(done.returncode, 0, done.stderr)
        apart = Client(self.server, json.loads(done.stdout)['key'])
        self.assertEqual([apart.get(p).status for p in ('/v1/files/' + file, '/v1/batches/' + batch['id'])], [404, 404])
        self.assertEqual(apart.get('/v1/files').json()['data'], [])
        self.assertEqual(other.get('/v1/batches').json()['data'], [])

    def test_who_may_keep_files(self):
        done = self.server.cli('key', 'create', 'scopes=usage:read', '--json')
        self.assertEqual(done.returncode, 0, done.stderr)
        reader = Client(self.server, json.loads(done.stdout)['key'])
        file = self.client.put(b'x').json()['id']
        for reply in (reader.put(b'x'), reader.get('/v1/files'), reader.get('/v1/files/' + file), reader.make(file),
                      reader.get('/v1/batches'), reader.delete('/v1/files/' + file)):
            self.check_error(reply, 403, 'permission_denied')

    def test_what_is_done_is_audited(self):
        admin = self.server.create_key('--admin', '--name', 'ops')['key']
        file = self.client.put(jsonl([line('a')])).json()['id']
        batch = self.client.make(file).json()
        self.client.ended(batch)
        self.client.delete('/v1/files/' + file)
        for action in ('file.create', 'batch.create', 'file.delete'):
            def told():
                events = self.server.get(f'/api/v1/audit?action={action}', key=admin).json()['data']
                return [e for e in events if e['outcome'] == 'ok' and e['resource_type'] == action.split('.')[0]]
            self.assertTrue(eventually(told), action)

    # --- the command ---

    def command(self, *args, **more):
        env = clean_environment(PENSTOCK_SERVER=f'http://127.0.0.1:{self.server.port}', PENSTOCK_API_KEY=self.server.key)
        return run_cli(*args, env=env, cwd=self.server.folder, timeout=60, **more)

    def in_folder(self, name, content=None):
        path = os.path.join(self.server.folder, name)
        if content is not None:
            with open(path, 'wb') as f:
                f.write(content)
        return path

    def read_lines(self, name):
        with open(self.in_folder(name), encoding='utf-8') as f:
            return [json.loads(x) for x in f]

    def test_the_command_runs_a_file(self):
        self.in_folder('q.jsonl', jsonl([line(str(i)) for i in range(40)]))
        done = self.command('batch', 'run', 'q.jsonl', '--concurrency', '4')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([x['custom_id'] for x in self.read_lines('q.out.jsonl')], [str(i) for i in range(40)])
        self.assertIn('completed: 40 of 40 lines answered, in q.out.jsonl', done.stderr)
        self.assertFalse(os.path.exists(self.in_folder('q.out.jsonl.batch')))
        self.in_folder('bad.jsonl', jsonl([line('a'), line('b', model='gpt-small;status=400')]))
        done = self.command('batch', 'run', 'bad.jsonl', '--output', 'answers', '--json')
        self.assertEqual((done.returncode, json.loads(done.stdout)['request_counts']['failed']), (7, 1), done.stderr)
        self.assertEqual([x['custom_id'] for x in self.read_lines('answers.errors')], ['b'])
        rows = [json.loads(x) for x in self.command('batch', 'list', '--json').stdout.split('\n') if x]
        self.assertEqual(rows[0]['request_counts'], {'total': 2, 'completed': 1, 'failed': 1})
        self.assertIn(rows[0]['id'], self.command('batch', 'show', rows[0]['id']).stdout)
        self.assertEqual(self.command('batch', 'cancel', rows[0]['id']).returncode, 1)
        self.assertEqual(self.command('batch', 'show', 'batch_x').returncode, 4)

    def test_the_command_goes_on_where_it_was(self):
        self.in_folder('long.jsonl', jsonl([line(str(i), model='gpt-small;delay=100') for i in range(200)]))
        env = clean_environment(PENSTOCK_SERVER=f'http://127.0.0.1:{self.server.port}', PENSTOCK_API_KEY=self.server.key)
        before = len(self.client.get('/v1/batches?limit=100').json()['data'])
        with subprocess.Popen([BINARY, 'batch', 'run', 'long.jsonl'], env=env, cwd=self.server.folder,
                              stderr=subprocess.DEVNULL) as first:
            self.assertTrue(eventually(lambda: os.path.exists(self.in_folder('long.out.jsonl.batch'))))
            first.send_signal(signal.SIGINT)
            self.assertNotEqual(first.wait(WAIT), 0)
        done = self.command('batch', 'run', 'long.jsonl')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('is under way', done.stderr)
        self.assertEqual(len(self.read_lines('long.out.jsonl')), 200)
        self.assertEqual(len(self.client.get('/v1/batches?limit=100').json()['data']), before + 1)

    def test_the_command_says_what_is_wrong(self):
        self.in_folder('twice.jsonl', jsonl([line('a'), line('a')]))
        done = self.command('batch', 'run', 'twice.jsonl')
        self.assertEqual(done.returncode, 2)
        self.assertIn('line 2: this custom_id is used by an earlier line', done.stderr)
        self.in_folder('not.jsonl', b'hello')
        self.assertEqual(self.command('batch', 'run', 'not.jsonl').returncode, 2)
        self.assertNotEqual(self.command('batch', 'run', 'absent.jsonl').returncode, 0)
        self.assertEqual(run_cli('batch', 'list', '--server', 'http://127.0.0.1:1').returncode, 2)
        env = clean_environment(PENSTOCK_API_KEY='ps-x')
        self.assertEqual(run_cli('batch', 'list', '--server', 'http://127.0.0.1:1', env=env).returncode, 6)

    def test_the_command_keeps_files(self):
        path = self.in_folder('some "name".txt', b'content')
        done = self.command('file', 'put', path)
        self.assertEqual(done.returncode, 0, done.stderr)
        file = done.stdout.strip()
        self.assertEqual(self.command('file', 'get', file).stdout, 'content')
        self.assertEqual(self.command('file', 'get', file, '--output', 'copy').returncode, 0)
        self.assertIn(file, self.command('file', 'list').stdout)
        self.assertEqual(self.command('file', 'delete', file).returncode, 0)
        self.assertEqual(self.command('file', 'get', file).returncode, 4)

    # --- crashes ---

    def test_each_line_once_across_three_crashes(self):
        before = len(self.fake.seen)
        batch = self.client.run([line(f'line-{i}', f'text {i}', model='gpt-small;delay=5') for i in range(LINES)])
        for crash in range(3):
            at = LINES * (crash + 1) // 4
            def far_enough():
                return self.client.batch(batch)['request_counts']['completed'] >= at
            self.assertTrue(eventually(far_enough, 60), self.client.batch(batch))
            self.server.kill()
            self.server.start()
        batch = self.client.ended(batch, 120)
        self.assertEqual((batch['status'], batch['request_counts']),
                         ('completed', {'total': LINES, 'completed': LINES, 'failed': 0}))
        self.assertIsNone(batch['error_file_id'])
        ids = [x['custom_id'] for x in self.client.lines(batch['output_file_id'])]
        self.assertEqual(ids, [f'line-{i}' for i in range(LINES)])
        asked = collections.Counter(s.json['messages'][0]['content'] for s in self.fake.seen[before:]
                                    if s.json and 'messages' in s.json)
        self.assertEqual(len([k for k in asked if k.startswith('text ')]), LINES)
        # Those under way at a crash were asked for once more, no others.
        self.assertLessEqual(sum(asked.values()) - LINES, 3 * 2 * 24)
        self.assertLessEqual(max(asked.values()), 4)

    def test_a_server_that_is_told_to_stop_goes_on_later(self):
        batch = self.client.run([line(f'{i}', model='gpt-small;delay=20') for i in range(300)])
        self.assertTrue(eventually(lambda: self.client.batch(batch)['request_counts']['completed'] > 20))
        before = len(self.fake.seen)
        self.server.stop()
        self.server.start()
        batch = self.client.ended(batch)
        self.assertEqual(batch['request_counts'], {'total': 300, 'completed': 300, 'failed': 0})
        self.assertLess(len(self.fake.seen) - before, 300)
        self.assertEqual(len(self.client.lines(batch['output_file_id'])), 300)

    def test_lines_that_take_long_do_not_hold_up_the_end(self):
        batch = self.client.run([line(f'{i}', model='gpt-small;delay=60000') for i in range(40)])
        self.assertTrue(eventually(lambda: len([s for s in self.fake.seen if s.model.endswith('60000')]) >= 24))
        start = time.monotonic()
        self.server.stop()
        self.assertLess(time.monotonic() - start, 30)  # server.drain_timeout, and not their minute
        self.server.start()
        self.assertEqual(self.server.post(f'/v1/batches/{batch["id"]}/cancel', b'').json()['status'], 'cancelling')
        self.server.stop()
        self.server.start()
        batch = self.client.ended(batch)
        self.assertEqual((batch['status'], batch['request_counts']['completed']), ('cancelled', 0))
        self.assertEqual(len(self.client.lines(batch['error_file_id'])), 40)


if __name__ == '__main__':
    main()
