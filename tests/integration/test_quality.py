#!/usr/bin/env python3
"""How good answers are: scores move routes, users' feedback and judges move scores, bad answers are held back."""
import http.server
import json
import threading
import time
import unittest

from harness import Penstock, chat_body, clean_environment, eventually, main, request_bytes

SAYS = {'good': 'The sky is blue because the air scatters the light of the sun, and blue light the most.',
        'bad': '', 'refuses': "I'm sorry, but I can't help with that.", 'loops': 'and then ' * 100}


class Upstream:
    """Says what it is told to, model by model."""

    def __init__(self):
        self.says, self.asked, self.wait, self.ends, self.fails, self.whole = {}, [], threading.Event(), {}, set(), set()
        self.wait.set()
        upstream = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def log_message(self, *_):
                pass

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers['content-length'])))
                upstream.asked.append(body)
                if body['model'] == 'judge':
                    upstream.wait.wait(20)
                self.answer(body, upstream.says.get(body['model'], SAYS['good']))

            def answer(self, body, text):
                usage = {'prompt_tokens': 5, 'completion_tokens': 7, 'total_tokens': 12}
                base = {'id': 'c', 'created': 1, 'model': body['model']}
                if body.get('stream') and body['model'] not in upstream.whole:
                    pieces = [{'delta': {'role': 'assistant', 'content': text}}, {'delta': {}, 'finish_reason': 'stop'}]
                    events = [{**base, 'object': 'chat.completion.chunk', 'choices': [{'index': 0, **p}]} for p in pieces]
                    data = ''.join(f'data: {json.dumps(e)}\n\n' for e in events) + 'data: [DONE]\n\n'
                    kind = 'text/event-stream'
                else:
                    message = {'role': 'assistant', 'content': text}
                    data = json.dumps({**base, 'object': 'chat.completion', 'usage': usage, 'choices': [
                        {'index': 0, 'message': message, 'finish_reason': upstream.ends.get(body['model'], 'stop')}]})
                    kind = 'application/json'
                self.send_response(503 if body['model'] in upstream.fails else 200)
                self.send_header('content-type', kind)
                self.send_header('content-length', str(len(data.encode())))
                self.end_headers()
                self.wfile.write(data.encode())

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def base_url(self):
        return f'http://127.0.0.1:{self.server.server_port}/v1'

    def models(self):
        return [b['model'] for b in self.asked]

    def stop(self):
        self.wait.set()
        self.server.shutdown()
        self.server.server_close()


def model(name, *targets, strategy='quality', **quality):
    price = {'input': 1, 'output': 1}
    return {'name': name, 'strategy': strategy, 'price': price, 'targets': [{'provider': 'up', 'model': t} for t in targets],
            'routing': {'quality': {'explore': 0, **quality}}}


class Quality(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.up = Upstream()
        cls.addClassCleanup(cls.up.stop)
        first = {'strategy': 'priority', 'retry_on': ['empty', 'refused', 'schema', 'repetition']}
        up = {'kind': 'openai', 'base_url': cls.up.base_url, 'api_key': 'k'}
        config = {'providers': [{'name': 'up', **up}, {'name': 'narrow', 'limits': {'concurrency': 1}, **up}],
                  'models': [model('best', 'a', 'b'), model('thumbs', 'c', 'd'), model('curious', 'q', 'r', explore=0.5),
                             model('held', 'e', 'f', **first), model('last', 'g', **first),
                             {'name': 'full', 'strategy': 'priority', 'targets': [{'provider': 'up', 'model': 't'},
                                                                                  {'provider': 'narrow', 'model': 'busy'}],
                              'routing': {'queue': {'max_wait': '60s'}, 'quality': {'retry_on': ['refused']}}},
                             model('judged', 'h', strategy='priority', judge={'model': 'grader', 'share': 1}),
                             model('unjudged', 'i', strategy='priority'), model('metered', 'n'),
                             model('scored', 'k', share=1, strategy='priority'),
                             model('doubted', 's', strategy='priority', judge={'model': 'critic', 'share': 1}),
                             {'name': 'critic', 'targets': [{'provider': 'up', 'model': 'critic'}]},
                             {'name': 'grader', 'targets': [{'provider': 'up', 'model': 'judge'}]}]}
        cls.server = Penstock(config)
        cls.addClassCleanup(cls.server.remove)
        cls.server.start()
        cls.admin = cls.server.create_key('--name', 'admin', '--admin')['key']

    def setUp(self):
        self.up.asked.clear()
        self.up.says.clear()
        self.up.ends.clear()
        self.up.fails.clear()
        self.up.whole.clear()

    def sums(self, **query):
        text = '&'.join(f'{k}={v}' for k, v in query.items())
        reply = self.server.get(f'/api/v1/quality?{text}', key=self.admin)
        self.assertEqual(reply.status, 200, reply)
        return reply.json()['data']

    def sum_of(self, model):
        rows = self.sums(by='upstream_model', model=model)
        return rows[0] if rows else None

    def scored(self, model, n):
        row = eventually(lambda: (lambda r: r if r and r['answers'] >= n else None)(self.sum_of(model)))
        self.assertTrue(row, model)
        return row

    def feedback(self, **body):
        return self.server.request('POST', '/v1/feedback', json.dumps(body).encode(), key=self.server.key)

    def test_route_moves_away_from_bad_answers(self):
        for _ in range(6):
            self.assertEqual(self.server.chat('best').status, 200)
        favourite = self.up.asked[-1]['model']
        other = {'a': 'b', 'b': 'a'}[favourite]
        self.scored(favourite, 1)
        self.up.says[favourite] = SAYS['bad']
        self.assertTrue(eventually(lambda: self.server.chat('best').header('x-penstock-model') == other))
        before = len(self.up.asked)
        for stream in (False, True, False):
            self.assertEqual(self.server.chat('best', stream=stream).header('x-penstock-model'), other)
        self.assertEqual(self.up.models()[before:], [other] * 3)
        row = self.scored(favourite, 1)
        self.assertGreater(row['faults']['empty'], 0)

    def explained(self, model, *args):
        body = json.dumps({'model': model, 'messages': [{'role': 'user', 'content': 'Hi'}]})
        done = self.server.cli('route', 'explain', '-', '--server', f'http://127.0.0.1:{self.server.port}', *args,
                               stdin=body, env=clean_environment(PENSTOCK_API_KEY=self.server.key))
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_what_was_graded_badly_is_tried_again(self):
        def ask():
            reply = self.server.chat('curious')
            return reply.header('x-penstock-model'), 'explored=1' in reply.header('x-penstock-route')
        self.up.says['q'] = SAYS['bad']
        self.assertTrue(eventually(lambda: ask() and all((self.sum_of(m) or {}).get('answers', 0) >= 10 for m in 'qr'), 30))
        self.assertEqual(self.sum_of('q')['score'], 0)
        self.up.says.clear()
        before = self.sum_of('q')['answers']
        seen = [ask() for _ in range(60)]
        self.assertEqual(set(seen), {('r', False), ('q', True)})
        self.assertGreater(self.scored('q', before + 1)['score'], 0)
        told = [json.loads(self.explained('curious', '--json')) for _ in range(8)]
        self.assertEqual({(t['explore'], t['order'][0]['model']) for t in told}, {(0.5, 'r')})
        self.assertRegex(self.explained('curious'), r'explores +with 50% of such requests')
        self.assertNotIn('explores', self.explained('best'))
        self.assertEqual(json.loads(self.explained('best', '--json'))['explore'], 0)

    def test_feedback_moves_the_score(self):
        reply = self.server.chat('thumbs')
        chosen = reply.header('x-penstock-model')
        other = {'c': 'd', 'd': 'c'}[chosen]
        said = self.feedback(request_id=reply.request_id, thumb='down', comment='wrong colour')
        self.assertEqual((said.status, said.json()),
                         (200, {'object': 'feedback', 'request_id': reply.request_id, 'score': 0}), said)
        self.assertEqual(self.server.chat('thumbs').header('x-penstock-model'), other)
        row = eventually(lambda: (lambda r: r if r and r['feedbacks'] else None)(self.sum_of(chosen)))
        self.assertEqual((row['feedbacks'], row['feedback_score']), (1, 0))
        self.assertEqual(self.feedback(request_id=reply.request_id, score=0.25).json()['score'], 0.25)
        self.assertEqual((self.sum_of(chosen)['feedbacks'], self.sum_of(chosen)['feedback_score']), (1, 0.25))

    def test_feedback_is_checked(self):
        known = self.server.chat('thumbs').request_id
        for body in ({}, {'request_id': known}, {'request_id': known, 'score': 2}, {'request_id': known, 'thumb': 'maybe'},
                     {'request_id': known, 'score': 1, 'thumb': 'up'}, {'request_id': 'x', 'score': 1},
                     {'request_id': known, 'score': 1, 'comment': 'x' * 1001}, {'request_id': 7, 'score': 1}):
            self.assertEqual(self.feedback(**body).status, 400, body)
        self.assertEqual(self.server.request('POST', '/v1/feedback', b'[', key=self.server.key).status, 400)
        self.assertEqual(self.feedback(request_id='req_0000000000001', score=1).status, 404)
        self.assertEqual(self.server.request('POST', '/v1/feedback', b'{}', key='ps-none').status, 401)

    def test_feedback_is_of_ones_own_tenant(self):
        made = self.server.request('POST', '/api/v1/tenants', json.dumps({'name': 'others'}).encode(),
                                   {'Content-Type': 'application/json'}, self.admin)
        self.assertEqual(made.status, 201, made)
        theirs = self.server.create_key('--tenant', 'others', '--name', 'theirs')['key']
        known = self.server.chat('thumbs').request_id
        body = json.dumps({'request_id': known, 'thumb': 'down'}).encode()
        reply = self.server.request('POST', '/v1/feedback', body, key=theirs)
        none = self.server.request('POST', '/v1/feedback', body.replace(known.encode(), b'req_0000000000001'), key=theirs)
        self.assertEqual((reply.status, none.status), (404, 404), reply)
        self.assertEqual(reply.body.replace(known.encode(), b''), none.body.replace(b'req_0000000000001', b''))
        self.assertEqual(self.server.request('POST', '/v1/feedback', body, key=self.server.key).status, 200)

    def test_feedback_of_one_tenant_is_a_small_part(self):
        """What is one tenant's to say does not take a target from the others."""
        server = Penstock({
            'providers': [{'name': 'up', 'kind': 'openai', 'base_url': self.up.base_url, 'api_key': 'k'}],
            'tenants': [{'name': 'loud'}, {'name': 'quiet'}],
            'prices': {'up/c': {'input': 1, 'output': 1}, 'up/d': {'input': 2, 'output': 2}},
            'models': [{'name': 'shared', 'strategy': 'cost',
                        'targets': [{'provider': 'up', 'model': m} for m in 'cd'],
                        'routing': {'min_quality': 0.6, 'quality': {'share': 0, 'explore': 0}}}]})
        self.addCleanup(server.remove)
        server.start()
        keys = {}
        for name in ('loud', 'quiet'):
            server.cli('tenant', 'create', 'name=' + name)
            keys[name] = server.create_key('--tenant', name, '--name', name)['key']

        def ask(who):
            body = json.dumps({'model': 'shared', 'messages': [{'role': 'user', 'content': 'Hi'}]}).encode()
            reply = server.post('/v1/chat/completions', body, key=keys[who])
            self.assertEqual(reply.status, 200, reply)
            return reply
        for _ in range(12):
            reply = ask('loud')
            self.assertEqual(reply.header('x-penstock-model'), 'c')
            body = json.dumps({'request_id': reply.request_id, 'thumb': 'down'}).encode()
            self.assertEqual(server.request('POST', '/v1/feedback', body, key=keys['loud']).status, 200)
        self.assertEqual(ask('quiet').header('x-penstock-model'), 'c')

    def test_bad_answers_are_held_back(self):
        for said in ('bad', 'refuses', 'loops'):
            self.up.says['e'] = SAYS[said]
            reply = self.server.chat('held')
            self.assertEqual((reply.status, reply.header('x-penstock-model')), (200, 'f'), reply)
            self.assertEqual(reply.json()['choices'][0]['message']['content'], SAYS['good'])
            self.assertEqual(reply.header('x-penstock-attempts'), '2')
            record = [r for r in self.server.usage() if r['request_id'] == reply.request_id]
            self.assertEqual([(r['output_tokens'], r['attempts'], r['upstream_model']) for r in record], [(7, 2, 'f')])
        row = self.scored('e', 3)
        self.assertEqual([row['faults'][k] for k in ('empty', 'refused', 'repetition')], [1, 1, 1])
        for text in ('Translate "the sky is blue" into French.', 'Write a Python function that merges two sorted lists.'):
            self.up.says['e'] = ''
            self.server.chat('held', text)
        self.scored('e', 5)
        tasks = {r['task']: r['answers'] for r in self.sums(by='task', model='held') if r['faults']['empty']}
        self.assertEqual(set(tasks) & {'', 'translate', 'code'}, {'translate', 'code'}, tasks)

    def given(self, reply, model, attempts):
        """The answer that was held back first is the client's all the same, and what it pays for."""
        self.assertEqual((reply.status, reply.header('x-penstock-model')), (200, model), reply)
        answer = reply.json()
        said = answer['choices'][0]['message']['content'] if 'choices' in answer else answer['content'][0]['text']
        self.assertEqual(said, SAYS['refuses'])
        self.assertEqual(reply.header('x-penstock-attempts', '1'), attempts)
        record = next(r for r in self.server.usage() if r['request_id'] == reply.request_id)
        self.assertEqual((record['status'], record['error'], record['upstream_model'], record['output_tokens'], record['attempts']),
                         (200, None, model, 7, int(attempts)))

    def test_what_was_held_back_is_given_when_nothing_else_comes(self):
        self.up.says['e'] = SAYS['refuses']
        self.up.fails.add('f')
        before = self.scored('e', 1)['answers'] if self.sum_of('e') else 0
        reply = self.server.chat('held')
        self.given(reply, 'e', '2')
        self.assertRegex(reply.header('x-penstock-tried'), r'^up/e 200( \d+ms)?, up/f 503( \d+ms)?$')
        self.assertEqual(self.scored('e', before + 1)['answers'], before + 1)
        self.given(self.server.post('/v1/messages', chat_body('held', max_tokens=50)), 'e', '2')
        self.up.fails.clear()
        self.assertEqual(self.server.chat('held').header('x-penstock-model'), 'f')

    def test_nobody_waits_for_a_better_one(self):
        self.up.says['t'] = SAYS['refuses']
        self.up.wait.clear()
        with self.server.conn() as conn:
            conn.send(request_bytes('POST', '/v1/chat/completions', chat_body('narrow/judge'), key=self.server.key))
            self.assertTrue(eventually(lambda: 'judge' in self.up.models()))
            self.given(self.server.chat('full'), 't', '1')
            self.up.wait.set()
            self.assertEqual(conn.read().status, 200)
        self.assertNotIn('busy', self.up.models())

    def test_schema_is_held_against(self):
        self.up.says.update(e='{"n": "x"}', f='{"n": 1}')
        form = {'type': 'json_schema', 'json_schema': {'name': 'n', 'schema': {
            'type': 'object', 'properties': {'n': {'type': 'integer'}}}}}
        reply = self.server.chat('held', response_format=form)
        self.assertEqual(reply.json()['choices'][0]['message']['content'], '{"n": 1}', reply)

    def test_streams_and_last_targets_are_not_held_back(self):
        self.up.says.update(e=SAYS['refuses'], g=SAYS['refuses'])
        self.assertEqual(self.server.chat('held', stream=True).header('x-penstock-model'), 'e')
        reply = self.server.chat('last')
        self.assertEqual(reply.json()['choices'][0]['message']['content'], SAYS['refuses'])

    def test_streams_that_come_whole_are_not_lost(self):
        """The provider does not stream though it is asked to, and nobody else has an answer."""
        self.up.says['e'] = SAYS['refuses']
        self.up.whole.add('e')
        self.up.fails.add('f')
        for path, body in (('/v1/chat/completions', chat_body('held', stream=True)),
                           ('/v1/messages', chat_body('held', stream=True, max_tokens=50))):
            reply = self.server.post(path, body)
            self.assertEqual((reply.status, reply.header('x-penstock-model')), (200, 'e'), reply)
            self.assertIn(SAYS['refuses'], reply.body.decode())

    def test_length_and_language_are_scored(self):
        """Answer by answer: what each is worth is in the sums."""
        self.up.ends['k'] = 'length'
        self.assertEqual(self.server.chat('scored').status, 200)
        self.assertEqual(self.server.chat('scored', max_tokens=7).status, 200)  # which the client wanted
        self.up.ends.clear()
        self.up.says['k'] = 'Der Himmel ist blau, weil die Luft das Licht der Sonne streut, und das blaue Licht am meisten.'
        asked = 'Why is the sky blue when the sun is up, and why is it red in the evening?'
        self.assertEqual(self.server.chat('scored', asked).status, 200)
        self.up.says['k'] = SAYS['good']
        self.assertEqual(self.server.chat('scored', asked).status, 200)
        row = self.scored('k', 4)
        self.assertEqual((row['answers'], row['faults']['truncated'], row['faults']['language']), (4, 1, 1), row)
        self.assertAlmostEqual(row['score'], (0.5 + 1 + 0.4 + 1) / 4)

    def test_judge_is_asked_afterwards(self):
        self.up.says['judge'] = '{"score": 3}'
        self.up.wait.clear()
        reply = self.server.chat('judged')  # nobody waits for it
        self.assertEqual(reply.status, 200)
        self.assertTrue(eventually(lambda: 'judge' in self.up.models()))
        self.assertEqual(self.scored('h', 1)['judged'], 0)
        self.up.wait.set()
        row = eventually(lambda: (lambda r: r if r['judged'] else None)(self.sum_of('h')))
        self.assertEqual((row['judged'], row['judge_score'], row['score']), (1, 0.3, 1))
        record = eventually(lambda: [r for r in self.server.usage() if r['upstream_model'] == 'judge'])
        self.assertEqual((len(record), record[0]['model'], record[0]['output_tokens']), (1, 'grader', 7))
        time.sleep(0.2)
        self.assertEqual(self.up.models().count('judge'), 1, 'judges are not judged')

    def graded(self, judge, result):
        return self.server.metrics().get(f'penstock_judge_grades_total{{model="{judge}",result="{result}"}}', 0)

    def test_grades_that_do_not_come_about_are_told(self):
        self.up.says['critic'] = 'Rather good, I would say: seven.'
        self.assertEqual(self.server.chat('doubted').status, 200)
        self.assertTrue(eventually(lambda: self.graded('critic', 'unusable') == 1))
        self.up.says['critic'] = '{"score": 7}'
        self.assertEqual(self.server.chat('doubted').status, 200)
        self.assertTrue(eventually(lambda: self.graded('critic', 'graded') == 1))
        self.up.fails.add('critic')
        self.assertEqual(self.server.chat('doubted').status, 200)
        self.assertTrue(eventually(lambda: self.graded('critic', 'failed') == 1))
        self.assertEqual((self.graded('critic', 'unusable'), self.graded('critic', 'graded')), (1, 1))
        lines = eventually(lambda: [n for n in self.server.log_lines() if n['msg'] == 'an answer has no grade'])
        self.assertEqual([(n['level'], n['judge'], n['error']) for n in lines], [('warn', 'critic', 'unusable')], 'one a minute')
        self.assertIn('"score"', lines[0]['reason'])
        self.assertNotIn('seven', self.server.log(), 'answers are nobody else\'s')
        self.assertEqual(self.scored('s', 3)['judged'], 1)

    def test_too_many_answers_are_not_judged(self):
        self.up.says['judge'] = '{"score": 5}'
        self.up.wait.clear()
        self.addCleanup(self.up.wait.set)
        before = self.graded('grader', 'busy')
        self.assertTrue(eventually(lambda: self.server.chat('judged') and self.graded('grader', 'busy') > before, 20))

    def test_nothing_is_scored_unasked(self):
        self.assertEqual(self.server.chat('unjudged').status, 200)
        time.sleep(0.4)
        self.assertIsNone(self.sum_of('i'))

    def test_sums_by(self):
        self.server.chat('best')
        self.assertTrue(eventually(lambda: self.sums()))
        for by in ('model', 'provider', 'upstream_model', 'target', 'task', 'day', 'hour'):
            rows = self.sums(by=by)
            self.assertIn(by, rows[0])
        self.assertEqual(self.sums(until='2020-01-01T00:00:00Z'), [])
        self.assertEqual(self.server.get('/api/v1/quality?by=x', key=self.admin).status, 400)

    def test_command_shows_sums(self):
        self.up.says['e'] = ''
        before = self.sum_of('e') or {'answers': 0}
        self.server.chat('held')
        row = self.scored('e', before['answers'] + 1)
        for where in ([], ['--server', f'http://127.0.0.1:{self.server.port}']):
            ran = self.server.cli('quality', '--by', 'target', *where, env=clean_environment(PENSTOCK_API_KEY=self.admin))
            line = [text for text in ran.stdout.splitlines() if text.startswith('up/e ')]
            self.assertEqual(len(line), 1, ran.stdout + ran.stderr)
            self.assertEqual(line[0].split()[1], str(row['answers']))
            self.assertIn('empty ', line[0])
        objects = self.quality('--json', '--by', 'target', '--since', '1d')
        self.assertEqual([json.loads(text) for text in objects.splitlines()], self.sums(by='target'))
        lines = self.quality('--format', 'csv', '--by', 'upstream_model', '--model', 'e').splitlines()
        self.assertEqual((len(lines), lines[0].split(',')[:5]), (2, ['upstream_model', 'answers', 'score', 'schema', 'empty']))
        self.assertIn('No answers', self.server.cli('quality', '--model', 'nobody').stderr)
        self.assertEqual(self.quality('--since', '2020-01-01', '--until', '2020-01-02', '--json'), '')

    def test_metric_shows_the_score(self):
        self.up.says['n'] = ''
        for _ in range(5):
            self.server.chat('metered')
        name = 'penstock_target_quality{provider="up",model="%s"}'
        reply = self.server.get('/metrics', key=self.admin)
        lines = dict(line.rsplit(' ', 1) for line in reply.body.decode().splitlines() if line[:1] != '#')
        self.assertEqual(float(lines[name % 'judge']), 0.7, 'nobody has scored it')
        self.assertTrue(eventually(lambda: self.sum_of('metered')))
        self.assertEqual({float(v) for k, v in lines.items() if k.startswith('penstock_target_breaker{')}, {0})
        self.assertEqual({float(v) for k, v in lines.items() if k.startswith('penstock_target_ejections')}, {0})

        def score():
            text = self.server.get('/metrics', key=self.admin).body.decode()
            return float(text.split(name % 'n' + ' ')[1].split('\n')[0])

        self.assertTrue(eventually(lambda: 0 < score() < 0.7))

    def test_command_refuses_what_is_wrong(self):
        for wrong in (['--by', 'key'], ['--format', 'xml'], ['--json', '--format', 'csv'], ['--since', 'x']):
            self.assertEqual(self.server.cli('quality', *wrong).returncode, 2, wrong)
        self.assertEqual(self.server.cli('usage', '--by', 'target').returncode, 2)

    def quality(self, *args):
        ran = self.server.cli('quality', *args)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        return ran.stdout


if __name__ == '__main__':
    main()
