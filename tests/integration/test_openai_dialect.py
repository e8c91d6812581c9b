#!/usr/bin/env python3
# OpenAI's other endpoints over the gateway: images, sound and moderations relayed, forms with another model in them;
# the older completions over a provider that has nothing but chat; what vendors of the dialect refuse, and strict mode.
import json

from harness import Suite, chat_body, fake_provider, main

from openai_media import PNG, SOUND

BOUNDARY = '----formX'


def form(fields):
    out = b''
    for name, value in fields.items():
        file = isinstance(value, bytes)
        out += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"'.encode()
        out += b'; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n' if file else b'\r\n\r\n'
        out += (value if file else value.encode()) + b'\r\n'
    return out + f'--{BOUNDARY}--\r\n'.encode()


class OpenAIDialect(Suite):
    @classmethod
    def config(cls):
        def provider(name, kind):
            return {**fake_provider(cls.fake, name), 'kind': kind}
        return {'providers': [fake_provider(cls.fake), provider('mistral', 'mistral'), provider('groq', 'groq'),
                              provider('perplexity', 'perplexity')],
                'models': [{'name': 'ears', 'targets': [{'provider': 'fake', 'model': 'whisper-1'}]},
                           {'name': 'painter', 'targets': [{'provider': 'fake', 'model': 'gpt-image-1'}]},
                           {'name': 'dall-e-2', 'targets': [{'provider': 'fake', 'model': 'dall-e-2'}]},
                           {'name': 'omni-moderation-latest', 'targets': [{'provider': 'fake'}]}]}

    def post(self, path, **body):
        return self.server.post(path, json.dumps(body).encode())

    def post_form(self, path, **fields):
        return self.server.post(path, form(fields), {'Content-Type': f'multipart/form-data; boundary={BOUNDARY}'})

    def seen(self):
        return self.fake.seen[-1]

    # --- relayed ---

    def test_images(self):
        reply = self.post('/v1/images/generations', model='painter', prompt='a cat', n=2)
        self.assertEqual(reply.status, 200, reply.body)
        self.assertEqual([d['b64_json'] for d in reply.json()['data']], [PNG, PNG])
        self.assertEqual(self.seen().json, {'model': 'gpt-image-1', 'prompt': 'a cat', 'n': 2})
        self.assertEqual(self.seen().path, '/v1/images/generations')

    def test_images_as_a_stream(self):
        reply = self.post('/v1/images/generations', model='painter', prompt='a cat', stream=True)
        self.assertEqual(reply.status, 200, reply.body)
        self.assertIn(b'event: image_generation.completed', reply.body)
        self.assertEqual(reply.body, self.seen().answer_body)

    def test_an_image_edit_is_a_form(self):
        reply = self.post_form('/v1/images/edits', image=b'\x89PNG\r\n--x', model='painter', prompt='a dog')
        self.assertEqual(reply.status, 200, reply.body)
        self.assertEqual(self.seen().json, {'image': b'\x89PNG\r\n--x', 'model': 'gpt-image-1', 'prompt': 'a dog'})

    def test_a_form_may_leave_the_model_out(self):
        reply = self.post_form('/v1/images/edits', prompt='a dog', image=b'\x89PNG')
        self.assertEqual(reply.status, 200, reply.body)
        self.assertEqual(self.seen().json['model'], 'dall-e-2')

    def test_speech(self):
        reply = self.post('/v1/audio/speech', model='fake/tts-1', input='Hallo', voice='alloy')
        self.assertEqual((reply.status, reply.header('content-type')), (200, 'audio/mpeg'))
        self.assertEqual(reply.body, SOUND)
        reply = self.post('/v1/audio/speech', model='fake/gpt-4o-mini-tts', input='Hallo', voice='alloy',
                          stream_format='sse')
        self.assertEqual(reply.body, self.seen().answer_body)

    def test_transcriptions(self):
        reply = self.post_form('/v1/audio/transcriptions', file=SOUND, model='ears', language='de')
        self.assertEqual((reply.status, reply.json()['text']), (200, 'Hallo'))
        self.assertEqual(self.seen().json, {'file': SOUND, 'model': 'whisper-1', 'language': 'de'})
        reply = self.post_form('/v1/audio/transcriptions', file=SOUND, model='ears', response_format='text')
        self.assertEqual((reply.status, reply.body), (200, b'Hallo\n'))
        reply = self.post_form('/v1/audio/transcriptions', file=SOUND, model='ears', stream='true')
        self.assertEqual(reply.body, self.seen().answer_body)
        self.assertIn(b'transcript.text.done', reply.body)

    def test_translations(self):
        reply = self.post_form('/v1/audio/translations', model='ears', file=SOUND)
        self.assertEqual((reply.status, self.seen().path), (200, '/v1/audio/translations'))

    def test_moderations(self):
        reply = self.post('/v1/moderations', input=['a', 'b'])
        self.assertEqual((reply.status, len(reply.json()['results'])), (200, 2), reply.body)
        self.assertEqual(self.seen().json['model'], 'omni-moderation-latest')

    def test_wrong_forms(self):
        whole = form({'model': 'ears', 'file': SOUND})
        kind = {'Content-Type': f'multipart/form-data; boundary={BOUNDARY}'}
        for body, headers in ((whole[:-20], kind), (b'', kind), (whole, {'Content-Type': 'multipart/form-data'}),
                              (whole, {'Content-Type': 'text/plain'}), (form({'file': SOUND}), kind),
                              (whole.replace(b'ears', b''), kind)):
            reply = self.server.post('/v1/audio/transcriptions', body, headers)
            self.assertEqual((reply.status, reply.error()['type']), (400, 'invalid_request_error'), reply.body)
        self.assertEqual(self.fake.seen, [])

    def test_what_a_provider_does_not_have(self):
        reply = self.post('/v1/audio/speech', model='perplexity/sonar', input='Hallo', voice='alloy')
        self.assertEqual(reply.status, 400, reply.body)
        self.assertEqual(self.fake.seen, [])

    # --- completions ---

    def test_completions_over_chat(self):
        reply = self.post('/v1/completions', model='perplexity/sonar', prompt='Once', max_tokens=9, echo=True, best_of=2)
        self.assertEqual(reply.status, 200, reply.body)
        answer = reply.json()
        self.assertEqual(answer['object'], 'text_completion')
        self.assertEqual(answer['choices'], [{'text': 'Wasser strömt durch das Tor', 'index': 0, 'logprobs': None,
                                              'finish_reason': 'stop'}])
        self.assertEqual(answer['usage']['completion_tokens'], 7)
        self.assertEqual(self.seen().path, '/v1/chat/completions')
        self.assertEqual(self.seen().json, {'model': 'sonar', 'max_tokens': 9,
                                            'messages': [{'role': 'user', 'content': 'Once'}]})
        self.assertEqual(reply.header('x-penstock-dropped-params'), 'echo, best_of')

    def test_completions_over_chat_as_a_stream(self):
        reply = self.post('/v1/completions', model='perplexity/sonar;usage=always', prompt='Once', stream=True,
                          stream_options={'include_usage': True})
        events = [json.loads(e) for e in reply.events() if e != '[DONE]']
        self.assertEqual(reply.events()[-1], '[DONE]')
        self.assertEqual(''.join(c['text'] for e in events for c in e['choices']), ' strömt durch das')
        self.assertEqual([c['finish_reason'] for e in events for c in e['choices']][-1], 'stop')
        self.assertEqual(events[-1]['choices'], [])
        self.assertGreater(events[-1]['usage']['prompt_tokens'], 0)

    def test_completions_pass_through(self):
        body = b'{"prompt" : "Once", "model":"fake/davinci", "suffix":"x"}'
        reply = self.server.post('/v1/completions', body)
        self.assertEqual((reply.status, self.seen().path), (200, '/v1/completions'))
        self.assertEqual(self.seen().body, body.replace(b'fake/davinci', b'davinci'))
        self.assertEqual(reply.body, self.seen().answer_body)

    # --- vendors ---

    def test_what_vendors_refuse_is_taken_out(self):
        reply = self.server.chat('mistral/large', max_completion_tokens=5, logit_bias={'1': 2}, store=False, stream=True,
                                 stream_options={'include_usage': True})
        self.assertEqual(reply.status, 200, reply.body)
        self.assertEqual(self.seen().json, {'model': 'large', 'messages': [{'role': 'user', 'content': 'Hello'}],
                                            'max_tokens': 5, 'stream': True})
        self.assertEqual(reply.header('x-penstock-dropped-params'), 'logit_bias')

    def test_strict_refuses_instead(self):
        for body, headers in ((chat_body('groq/x', logit_bias={'1': 2}), {'x-penstock-strict': 'true'}),
                              (chat_body('groq/x', logit_bias={'1': 2}, strict=True), {})):
            reply = self.server.post('/v1/chat/completions', body, headers)
            self.assertEqual(reply.status, 400, reply.body)
            self.assertIn('logit_bias', reply.error()['message'])
        self.assertEqual(self.fake.seen, [])
        reply = self.server.chat('groq/x', strict=True)
        self.assertEqual((reply.status, self.seen().json), (200, {'model': 'x', 'messages': [
            {'role': 'user', 'content': 'Hello'}]}))


if __name__ == '__main__':
    main()
