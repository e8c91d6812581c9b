#!/usr/bin/env python3
# How long answers are waited for: until they begin, between tokens, in all; and what is told of targets that fail.
import json
import time

from harness import FakeUpstream, Suite, eventually, fake_provider, main


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


if __name__ == '__main__':
    main()
