#!/usr/bin/env python3
# How long answers are waited for: until they begin, between tokens, in all; and what is told of targets that fail.
import http.server
import json
import signal
import threading
import time

from harness import FakeUpstream, Suite, clean_environment, eventually, fake_provider, in_parallel, main, run_cli
from anthropic_upstream import AnthropicUpstream
from gemini_upstream import GeminiUpstream
from test_opening import CLIENTS, gemini


def array(model, stream):
    path, body = gemini(model, stream)
    return path.partition('?')[0], body


CLIENTS = {**CLIENTS, 'array': array}


def target(model, provider='fake'):
    return {'provider': provider, 'model': model}


class Waits(Suite):
    @classmethod
    def config(cls):
        def model(name, *targets, **timeouts):
            return {'name': name, 'strategy': 'priority', 'targets': [target(t) for t in targets],
                    'routing': {'timeouts': timeouts, 'breaker': {'failures': 0, 'min_requests': 1000}}}

        retry = model('again', 'x;status=500', total='700ms')
        retry['routing']['retry'] = {'attempts': 60, 'same_target': 10, 'base': '10s', 'max': '10s', 'share': 1}
        hedged = model('hedged', 'y;delay=20000', 'z;after_head=20000', first_token='500ms')
        hedged['routing']['hedge'] = {'share': 1, 'after': '100ms'}
        return {
            'providers': [fake_provider(cls.fake)],
            'models': [
                model('late', 'a;delay=20000', 'well', first_token='300ms'),
                model('silent', 'b;after_head=20000', 'well', first_token='300ms'),
                model('all-late', 'c;delay=20000', 'd;delay=20000', first_token='200ms'),
                model('in-all', 'e;delay=20000', 'f;delay=20000', total='500ms', first_token='300ms'),
                model('whole', 'g;delay=20000', 'well', total='300ms', first_token='100ms'),
                model('still', 'h;fault=hang;when=body', 'well', inter_token='300ms'),
                model('endless', 'i;endless;gap=20', total='600ms'),
                model('slow', 'j;events=400;gap=250', min_rate=20),
                model('fast', 'k;events=40;gap=10', first_token='5s', inter_token='5s', total='20s', min_rate=1),
                retry, hedged,
            ],
            'log': {'level': 'debug', 'format': 'json'},
        }

    def stream(self, model):
        began = time.monotonic()
        reply = self.server.chat(model, stream=True)
        self.assertLess(time.monotonic() - began, 15, 'it was waited for')
        return reply

    def broken(self, model, said):
        reply = self.stream(model)
        self.assertEqual(reply.status, 200, reply)
        *events, last = reply.events()
        self.assertTrue(events)
        error = json.loads(last)['error']
        self.assertEqual(error['code'], 'upstream_timeout')
        self.assertIn(said, error['message'])
        record = self.record_of(reply.request_id)
        self.assertEqual(record['error'], 'upstream_timeout')
        return reply

    def test_next_target_when_no_token_comes(self):
        for model in ('late', 'silent'):
            reply = self.stream(model)
            self.assertEqual((reply.status, reply.header('x-penstock-model')), (200, 'well'), reply)
            self.assertEqual(reply.events()[-1], '[DONE]')
            self.assertEqual(reply.header('x-penstock-attempts'), '2')
        self.assertGreaterEqual(self.server.metrics()['penstock_failovers_total{reason="timeout_first_token"}'], 2)

    def test_nobody_begins(self):
        reply = self.stream('all-late')
        error = self.check_error(reply, 504, 'upstream_timeout')
        self.assertIn('first_token', error['message'])

    def test_whole_request(self):
        error = self.check_error(self.stream('in-all'), 504, 'upstream_timeout')
        self.assertIn('routing.timeouts.total', error['message'])
        # Of a whole answer nobody sees the first token.
        reply = self.server.chat('whole')
        error = self.check_error(reply, 504, 'upstream_timeout')
        self.assertIn('routing.timeouts.total', error['message'])
        self.assertEqual(self.record_of(reply.request_id)['error'], 'upstream_timeout')
        self.broken('endless', 'routing.timeouts.total')

    def test_stands_still(self):
        self.broken('still', 'routing.timeouts.inter_token')

    def test_too_slow(self):
        self.broken('slow', 'routing.timeouts.min_rate')

    def test_nothing_is_cut_that_is_well(self):
        reply = self.stream('fast')
        self.assertEqual((reply.status, reply.events()[-1]), (200, '[DONE]'))

    def test_no_wait_longer_than_what_is_left(self):
        reply = self.server.chat('again')
        self.assertEqual(reply.status, 500, reply)  # a wait would be too long, so there is none
        self.assertLess(len(self.fake.seen), 4)

    def test_two_under_way(self):
        error = self.check_error(self.stream('hedged'), 504, 'upstream_timeout')
        self.assertIn('first_token', error['message'])
        self.assertEqual(len(self.fake.seen), 2)


class Told(Suite):
    """A provider that falls silent, or breaks off, once all of its answer was told: the client's answer is whole."""

    @classmethod
    def config(cls):
        cls.fakes = {'openai': cls.fake, 'anthropic': AnthropicUpstream().start(), 'gemini': GeminiUpstream().start()}
        for name in ('anthropic', 'gemini'):
            cls.addClassCleanup(cls.fakes[name].stop)
        keys = {'anthropic': 'sk-ant-fake', 'gemini': cls.fakes['gemini'].key}
        faults = {'reset': ('reset', {}), 'still': ('hang', {'inter_token': '300ms'}), 'late': ('hang', {'total': '700ms'})}
        more = ';events=3;gap=10;when=finish;fault='
        models = [{'name': f'{up}-{how}-{goes_on}', 'strategy': 'priority', 'routing': {
                       'timeouts': timeouts, 'continue': goes_on, 'breaker': {'failures': 0, 'min_requests': 1000}},
                   'targets': [{'provider': up, 'model': f'm-{how}{more}{fault}'}, {'provider': 'openai', 'model': 'second'}]}
                  for up in cls.fakes for how, (fault, timeouts) in faults.items() for goes_on in (0, 1)]
        models.append({'name': 'two', 'targets': [{'provider': 'openai', 'model': 'two;when=finish;fault=reset'}]})
        models.append({'name': 'half', 'routing': {'timeouts': {'total': '300ms'}},
                       'targets': [{'provider': 'openai', 'model': 'half;when=body;fault=hang'}]})
        return {'providers': [fake_provider(cls.fake, 'openai'),
                              *({'name': n, 'kind': n, 'base_url': cls.fakes[n].base_url, 'api_key': k} for n, k in keys.items())],
                'models': models, 'log': {'level': 'debug', 'format': 'json'}}

    def ask(self, client, model, **more):
        path, body = CLIENTS[client](model, True)
        return self.server.post(path, json.dumps({**body, **more}).encode())

    def test_the_answer_is_whole(self):
        ends = {'openai': '"finish_reason"', 'anthropic': 'message_stop', 'gemini': 'finishReason', 'array': 'finishReason',
                'responses': 'response.completed'}
        cases = [(up, how, client, goes_on) for up in self.fakes for how in ('reset', 'still', 'late') for client in ends
                 for goes_on in (0, 1)]
        replies = in_parallel(len(cases), lambda i: self.ask(cases[i][2], '{0}-{1}-{3}'.format(*cases[i])))
        for (up, how, client, goes_on), reply in zip(cases, replies):
            with self.subTest(up, how=how, client=client, goes_on=goes_on):
                text = reply.body.decode()
                self.assertEqual(reply.status, 200, reply)
                self.assertIn(ends[client], text)
                self.assertNotIn('"error":{', text.replace(' ', ''))
                if client == 'openai':
                    self.assertEqual((reply.events()[-1], text.count('[DONE]')), ('[DONE]', 1))
                if client == 'array':
                    self.assertEqual(reply.json()[-1]['candidates'][0]['finishReason'], 'STOP')
                self.assertLessEqual(text.count('"message_stop"'), 1)
                record = self.record_of(reply.request_id)
                self.assertEqual((record['status'], record['error'], record['attempts']), (200, None, 1))
                self.assertGreater(record['output_tokens'], 0)
                self.assertEqual(record['tokens_estimated'], up == 'openai')  # whose counts come after the answer
        self.assertEqual([s for s in self.fake.seen if s.model == 'second'], [])

    def test_what_is_not_whole(self):
        """Some of the answers, or half of one."""
        reply = self.ask('openai', 'two', n=2)
        self.assertIn('error', json.loads(reply.events()[-1]))
        reply = self.ask('openai', 'half')
        self.assertIn('error', json.loads(reply.events()[-1]))
        self.assertEqual(self.record_of(reply.request_id)['error'], 'upstream_timeout')


class Targets(Suite):
    @classmethod
    def config(cls):
        cls.other = FakeUpstream().start()
        cls.addClassCleanup(cls.other.stop)
        return {
            'providers': [fake_provider(cls.fake), fake_provider(cls.other, 'other')],
            'models': [{'name': 'm', 'strategy': 'priority', 'targets': [target('a;status=500'), target('b', 'other')],
                        'routing': {'breaker': {'failures': 3, 'open': '1s'}}}],
            'log': {'level': 'debug', 'format': 'json'},
        }

    def targets(self):
        key = self.server.create_key('--admin', '--name', 'ops')['key']
        options = ('targets', '--server', f'http://127.0.0.1:{self.server.port}')
        out = run_cli(*options, '--json', env=clean_environment(PENSTOCK_API_KEY=key)).stdout
        table = run_cli(*options, env=clean_environment(PENSTOCK_API_KEY=key)).stdout
        return {(t['provider'], t['model']): t for t in map(json.loads, out.splitlines())}, table

    def test_listed(self):
        self.assertEqual(self.server.chat('m').status, 200)
        targets, table = self.targets()
        self.assertEqual(sorted(targets), [('fake', 'a;status=500'), ('other', 'b')])
        well = targets['other', 'b']
        self.assertEqual((well['state'], well['why'], well['until'], well['breaker'], well['healthy'], well['in_flight']),
                         ('usable', None, None, 'closed', True, 0))
        self.assertGreater(well['first_token_ms'], 0)
        self.assertEqual(well['headroom'], {'requests': None, 'tokens': None, 'input_tokens': None,
                                           'output_tokens': None, 'concurrency': None, 'share': 1})
        self.assertEqual(well['totals']['failures'], {})
        self.assertGreaterEqual(targets['fake', 'a;status=500']['totals']['failures']['server_error'], 1)
        self.assertRegex(table, r'PROVIDER +MODEL +STATE')
        self.assertRegex(table, r'other +b +usable')

    def test_told_once(self):
        for _ in range(6):
            self.assertEqual(self.server.chat('m').status, 200)
        eventually(lambda: [l for l in self.server.log_lines() if 'its breaker has opened' in l['msg']])
        lines = [l for l in self.server.log_lines() if 'its breaker has opened' in l['msg']]
        self.assertEqual([(l['provider'], l['model']) for l in lines], [('fake', 'a;status=500')])
        metrics = self.server.metrics()
        labels = '{provider="fake",model="a;status=500"}'
        self.assertGreaterEqual(metrics['penstock_target_breaker_openings_total' + labels], 1)
        self.assertIn('penstock_target_state' + labels, metrics)
        self.assertEqual(metrics['penstock_target_state{provider="other",model="b"}'], 0)
        self.assertGreaterEqual(metrics['penstock_failovers_total{reason="server_error"}'], 3)
        self.assertGreaterEqual(
            metrics['penstock_target_attempts_total{provider="fake",model="a;status=500",result="server_error"}'], 3)


class Patient(http.server.ThreadingHTTPServer):
    """A provider that is asked how it is."""

    def __init__(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.server.asked.append((self.path, self.headers.get('authorization')))
                self.send_response(self.server.status)
                self.send_header('content-length', '0')
                self.end_headers()

            def log_message(self, *_):
                pass

        self.status, self.asked = 200, []
        super().__init__(('127.0.0.1', 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Checks(Suite):
    @classmethod
    def config(cls):
        cls.patient = Patient()
        cls.addClassCleanup(cls.patient.server_close)
        cls.addClassCleanup(cls.patient.shutdown)
        cls.written = {
            'providers': [
                fake_provider(cls.fake),
                {'name': 'patient', 'kind': 'openai', 'api_key': 'sk-p', 'base_url': f'http://127.0.0.1:{cls.patient.server_port}/v1',
                 'health_check': {'path': '/how', 'interval': '100ms', 'timeout': '2s', 'rise': 2, 'fall': 2}}],
            # Both have the same target, which is told of once a check.
            'models': [{'name': name, 'strategy': 'priority', 'targets': [target('a', 'patient'), target('well')]} for name in 'mn'],
            'log': {'level': 'debug', 'format': 'json'},
        }
        return cls.written

    def state(self):
        return self.server.metrics()['penstock_target_state{provider="patient",model="a"}']

    def told(self, said):
        return [line for line in self.server.log_lines() if said in line['msg']]

    def test_ill_and_well(self):
        eventually(lambda: len(self.patient.asked) >= 3)
        self.assertEqual(self.patient.asked[0], ('/v1/how', 'Bearer sk-p'))
        self.assertEqual(self.state(), 0)
        self.patient.status = 503
        eventually(lambda: self.state() == 5)
        reply = self.server.chat('m')
        self.assertEqual((reply.status, reply.header('x-penstock-model'), reply.header('x-penstock-attempts')), (200, 'well', None))
        eventually(lambda: self.told('does not pass its health checks'))
        self.assertIn('503', self.told('fails a health check')[0]['error'])
        self.patient.status = 404  # it is there
        eventually(lambda: self.state() == 0)
        eventually(lambda: self.told('a target is well again'))
        self.assertEqual([len(self.told(said)) for said in ('fails a health check', 'passes its health checks again',
                                                            'does not pass its health checks', 'a target is well again')], [1] * 4)
        # Who is asked no longer is taken for well.
        self.patient.status = 500
        eventually(lambda: self.state() == 5)
        del self.written['providers'][1]['health_check']
        self.server.write_config(self.written)
        self.server.signal(signal.SIGHUP)
        eventually(lambda: self.state() == 0)


if __name__ == '__main__':
    main()
