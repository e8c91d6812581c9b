#!/usr/bin/env python3
# Whoever leaves, reloads or stops the server does so at each moment of a call: in a wait before the same target is asked
# again, in the queue, as the first or another of a coalesced call, with a second call beside it, with an answer in pieces
# of calls, with a stream, with a provider's token on its way. Each is answered or given up whole, accounted for once, and
# leaves nothing behind at its targets.
import json
import signal

from harness import WAIT, Suite, chat_body, eventually, fake_provider, main, request_bytes, sanitized
from gemini_upstream import VertexUpstream
from test_failover import ScriptedUpstream, chain

CHAT, EMBEDDINGS = '/v1/chat/completions', '/v1/embeddings'
LATE = f'delay={2000 if sanitized() else 600}'
STREAM = f'events={50 if sanitized() else 20};gap=40'


def embeddings(model, count):
    return json.dumps({'model': model, 'input': [f'{i}' for i in range(count)]}).encode()


# By the moment: the path, what is asked for, how often at once, how many calls to providers that makes, and how many come
# in all.
MOMENTS = {
    'again': (CHAT, chat_body('again'), 1, 1, 2),
    'queue': (CHAT, chat_body('queue'), 2, 1, 2),
    'shared': (CHAT, chat_body('shared'), 3, 1, 1),
    'shared-stream': (CHAT, chat_body('shared-stream', stream=True), 3, 1, 1),
    'hedge': (CHAT, chat_body('hedge'), 1, 2, 2),
    'pieces': (EMBEDDINGS, embeddings('pieces', 4100), 1, 3, 3),
    'stream': (CHAT, chat_body('stream', stream=True), 1, 1, 1),
    'token': (CHAT, chat_body('token'), 1, 0, 0),
}


class Stages(Suite):
    workers = 4

    @classmethod
    def setUpClass(cls):
        cls.fake = ScriptedUpstream().start()
        cls.vertex = VertexUpstream().start()
        cls.addClassCleanup(cls.fake.stop)
        cls.addClassCleanup(cls.vertex.stop)

    @classmethod
    def tearDownClass(cls):
        """Each test has a server of its own."""

    def setUp(self):
        super().setUp()
        self.fake.scripts = {'again': ['status=503;retry_after=1']}
        self.vertex.reset()
        self.vertex.token_delay = 0.6

    def conf(self, *models, **more):
        vertex = {'name': 'vertex', 'kind': 'vertex', 'base_url': self.vertex.base_url, 'project': 'my-project',
                  'location': 'europe-west4', 'credentials': json.dumps(self.vertex.credentials)}
        return {'providers': [fake_provider(self.fake), vertex], 'models': list(models),
                'log': {'level': 'debug', 'format': 'json'}, **more}

    def whole(self, **more):
        one = {'limits': {'concurrency': 1}}
        plain = lambda name, model, **routing: {'name': name, 'targets': [{'provider': 'fake', 'model': model}], 'routing': routing}
        return self.conf(
            plain('still', 'still'),
            chain('again', 'again', retry={'same_target': 1, 'base': '1ms', 'max': '2s'}),
            {**plain('queue', f'queue;{LATE}', queue={'max_wait': '10s'}), 'targets': [{'provider': 'fake', 'model': f'queue;{LATE}', **one}]},
            plain('shared', f'shared;{LATE}', coalesce='all'),
            plain('shared-stream', f'shared-stream;{STREAM}', coalesce='all'),
            chain('hedge', f'first;{LATE}', 'second;delay=3000', hedge={'share': 1, 'after': '50ms'}),
            plain('pieces', f'pieces;{LATE}'),
            plain('stream', f'stream;{STREAM}'),
            {'name': 'token', 'targets': [{'provider': 'vertex', 'model': 'm'}]}, **more)

    def asked(self, name):
        return [s for s in self.fake.seen if s.model and s.model.split(';')[0] in {'hedge': ('first', 'second')}.get(name, (name,))]

    def begin(self, **more):
        """A server with requests at all these moments."""
        server = self.spawn(self.whole(**more), workers=self.workers)
        conns = {name: [] for name in MOMENTS}
        for name, (path, body, count, _, _) in MOMENTS.items():
            for _ in range(count):
                conn = server.conn()
                self.addCleanup(conn.close)
                conns[name].append(conn.send(request_bytes('POST', path, body, key=server.key)))
        for name, (_, _, _, calls, _) in MOMENTS.items():
            self.assertTrue(self.fake.wait(lambda name=name, calls=calls: len(self.asked(name)) >= calls, WAIT), name)
        self.assertTrue(eventually(lambda: self.vertex.seen))
        self.assertTrue(eventually(lambda: server.metrics().get('penstock_retries_total{reason="overloaded"}')))
        self.count = sum(count for _, _, count, _, _ in MOMENTS.values())
        return server, conns

    def reload(self, server):
        """Everything of before is gone; what is under way has it still."""
        server.write_config(self.conf({'name': 'new', 'targets': [{'provider': 'fake', 'model': 'new'}]}, passthrough_models=False))
        server.signal(signal.SIGHUP)
        self.assertTrue(eventually(lambda: server.chat('new').status == 200 and server.chat('still').status == 404))

    def check_answered(self, conns):
        for name, (_, _, _, _, calls) in MOMENTS.items():
            for conn in conns[name]:
                reply = conn.read()
                self.assertEqual(reply.status, 200, (name, reply))
                if 'stream' in name:
                    self.assertEqual(reply.events()[-1], '[DONE]', name)
            self.assertEqual(len(self.asked(name)), calls, name)

    def check_clean(self, server, gone=None):
        self.assertTrue(eventually(lambda: server.metrics()['penstock_active_requests'] <= 1), server.metrics())
        def held():
            return {k: v for k, v in server.metrics().items() if v and k.startswith(('penstock_target_in_flight', 'penstock_queue_length'))}
        self.assertTrue(eventually(lambda: not held()), held())
        self.check_records(server, gone)

    def check_records(self, server, gone=None):
        """Each request has one; gone: whether all of the clients have left."""
        def all_of_them():
            records = [r for r in server.usage('--limit', '1000') if r['model'] in MOMENTS]
            return len(records) >= self.count and all(r['status'] for r in records) and records
        records = eventually(all_of_them)
        self.assertTrue(records, server.usage('--limit', '1000'))
        self.assertEqual(len(records), self.count)
        if gone is not None:
            self.assertEqual({(r['client_gone'], r['status'] if not r['stream'] else 200) for r in records}, {(gone, 499 if gone else 200), (gone, 200)})

    def leave(self, conns):
        for name in MOMENTS:
            for conn in conns[name]:
                conn.reset()

    def test_reload(self):
        server, conns = self.begin()
        self.reload(server)
        self.check_answered(conns)
        self.check_clean(server, gone=False)
        server.stop()

    def test_reload_and_leave(self):
        server, conns = self.begin()
        self.reload(server)
        self.leave(conns)
        self.check_clean(server, gone=True)
        server.stop()

    def test_leave(self):
        server, conns = self.begin()
        self.leave(conns)
        self.check_clean(server, gone=True)
        self.assertEqual(server.chat('still').status, 200)
        server.stop()

    def test_one_leaves(self):
        """The first of those that share, and the one that waits in the queue: the others go on."""
        server, conns = self.begin()
        for name in ('shared', 'shared-stream'):
            conns[name].pop(0).reset()
        conns['queue'].pop(1).reset()
        for name in ('queue', 'shared', 'shared-stream'):
            for conn in conns[name]:
                self.assertEqual(conn.read().status, 200, name)
        self.leave(conns)
        self.check_clean(server)
        server.stop()

    def test_drain(self):
        server, conns = self.begin()
        server.signal(signal.SIGTERM)
        self.check_answered(conns)
        server.join()
        self.check_records(server, gone=False)

    def test_leave_while_it_drains(self):
        server, conns = self.begin()
        server.signal(signal.SIGTERM)
        self.leave(conns)
        server.join()
        self.check_records(server, gone=True)

    def test_stop_at_once(self):
        server, conns = self.begin(server={'drain_timeout': '50ms'})
        server.signal(signal.SIGTERM)
        server.join()
        for name in MOMENTS:
            for conn in conns[name]:
                conn.everything()  # to its end
        self.check_records(server)


if __name__ == '__main__':
    main()
