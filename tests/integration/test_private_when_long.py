#!/usr/bin/env python3
# Long texts are searched for personal data beside the loop: others are answered meanwhile, and it ends well whoever leaves.
import json
import select

from harness import Conn, Suite, fake_provider, main, request_bytes

CARD = '4111 1111 1111 1111'
HARD = '\u201300' * (3 << 20)  # of what takes longest to search: 15 MiB


def chat(text, model='far'):
    return json.dumps({'model': model, 'messages': [{'role': 'user', 'content': text}]}, ensure_ascii=False).encode()


class PrivateWhenLong(Suite):
    workers = 1  # so that all are on the same loop

    @classmethod
    def config(cls):
        return {'providers': [fake_provider(cls.fake, 'near', privacy='local'),
                              fake_provider(cls.fake, 'far', privacy='remote', passthrough=True)],
                'routing': {'private_when': ['all']},
                'models': [{'name': name, 'targets': [{'provider': name, 'model': 'm'}]} for name in ('near', 'far')]}

    def ask(self, body, path='/v1/chat/completions'):
        conn = Conn(self.server.port)
        self.addCleanup(conn.close)
        return conn.send(request_bytes('POST', path, body, key=self.server.key))

    def test_others_are_answered_meanwhile(self):
        body = chat(f'{HARD} {CARD}')
        asked = [self.ask(body) for _ in range(4)]  # more than are searched at a time
        answered = 0
        while not any(select.select([conn.sock for conn in asked], [], [], 0)[0]):
            self.assertEqual(self.server.chat('near').status, 200)
            answered += 1
        self.assertGreaterEqual(answered, 10)
        for conn in asked:
            error = self.check_error(conn.read(), 400, 'no_capable_target', param='model')
            self.assertIn('credit_card in messages[0].content', error['message'])
            self.assertNotIn('4111', error['message'])

    def test_every_way(self):
        text = HARD[:100_000]
        for tail, status in (('', 200), (CARD, 400)):
            with self.subTest(tail=tail):
                body = chat(f'{text} {tail}')
                self.assertEqual(self.server.request('POST', '/v1/chat/completions', body, key=self.server.key).status, status)
                reply = self.server.request('POST', '/passthrough/far/v1/chat/completions', body, key=self.server.key)
                self.assertEqual(reply.status, status)
                reply = self.server.request('POST', '/v1/route/explain', body, key=self.server.key)
                self.assertEqual(reply.status, 200)
                self.assertEqual('credit_card in messages[0].content' in reply.body.decode(), bool(tail))

    def test_clients_that_leave(self):
        body = chat(HARD)
        for conn in [self.ask(body) for _ in range(6)]:
            conn.close()
        self.assertEqual(self.server.chat('near').status, 200)
        # What is still searched is for nobody, and does not hold up the next for good.
        self.assertEqual(self.server.request('POST', '/v1/chat/completions', chat('x' * 100_000), key=self.server.key).status, 200)

    def test_stopping_meanwhile(self):
        server = self.spawn({**self.config(), 'server': {'drain_timeout': '1s'}}, workers=1)
        key = server.key
        conns = [Conn(server.port).send(request_bytes('POST', '/v1/chat/completions', chat(HARD), key=key)) for _ in range(3)]
        for conn in conns:
            self.addCleanup(conn.close)
        server.stop()


if __name__ == '__main__':
    main()
