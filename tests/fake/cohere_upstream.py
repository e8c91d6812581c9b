#!/usr/bin/env python3
# A stand-in for Cohere's API, version 2: chat, embed and rerank, held to the API's rules.
#
# As openai_upstream.py; the model's name carries the options of its Plan. Those that mean something here: status=N,
# words=N, tools, parallel (calls the first tool twice), thinking, citations, stop=REASON, error_event, fault=close (in
# the middle of a stream), delay=MS, rest=STATUS (to embed fewer than 96 texts, when two others
# were answered).
import argparse
import base64
import json
import struct
import threading
import time

from openai_upstream import WORDS, Answer, FakeUpstream, Plan, Refused

CHAT = {'model', 'messages', 'tools', 'strict_tools', 'documents', 'citation_options', 'response_format', 'safety_mode',
        'max_tokens', 'stop_sequences', 'temperature', 'seed', 'frequency_penalty', 'presence_penalty', 'k', 'p',
        'logprobs', 'tool_choice', 'thinking', 'priority', 'stream'}
EMBED = {'model', 'texts', 'images', 'inputs', 'input_type', 'max_tokens', 'output_dimension', 'embedding_types', 'truncate',
         'priority'}
RERANK = {'model', 'query', 'documents', 'top_n', 'max_tokens_per_doc', 'priority'}
ARGUMENTS = '{\n    "city": "Zürich",\n    "unit": "°C",\n    "n": 1.50\n}'
ID = '29f14a5a-11de-4cae-9800-25e4747408ea'


class Invalid(Exception):
    """What the API answers with 400."""


def require(condition, message):
    if not condition:
        raise Invalid('invalid request: ' + message)


def check_message(message, calls):
    role = message['role']
    require(role in ('system', 'user', 'assistant', 'tool'), f'role {role}')
    if role == 'tool':
        require(message['tool_call_id'] in calls, 'tool_call_id does not match a tool call')
        calls.discard(message['tool_call_id'])
    else:
        require(not calls, 'tool calls without results')
    require(message.get('content') or message.get('tool_calls'), 'content is empty')
    content = message.get('content')
    for part in content if isinstance(content, list) else []:
        require(part['type'] in ('text', 'image_url', 'thinking', 'document'), 'content type')
        require(part['type'] in part and len(part) == 2, 'content part')
        require(part['type'] != 'image_url' or role == 'user', 'images are a user\'s')
    for call in message.get('tool_calls', []):
        require(isinstance(json.loads(call['function']['arguments']), dict), 'arguments')
        require(call['type'] == 'function' and call['id'] not in calls, 'tool call')
        calls.add(call['id'])


def check_chat(body):
    require(set(body) <= CHAT, f'unknown {sorted(set(body) - CHAT)}')
    require(body['messages'], 'messages must not be empty')
    calls = set()
    for message in body['messages']:
        check_message(message, calls)
    for tool in body.get('tools', []):
        require(tool['type'] == 'function' and tool['function']['parameters']['type'] == 'object', 'tool')
    require(body.get('tool_choice', 'NONE') in ('NONE', 'REQUIRED'), 'tool_choice')
    require(not (body.get('tool_choice') and not body.get('tools')), 'tool_choice without tools')
    require(0 <= body.get('p', 0.5) <= 0.99 and 0 <= body.get('k', 0) <= 500, 'p or k')
    require(body.get('response_format', {}).get('type', 'text') in ('text', 'json_object'), 'response_format')
    require(set(body.get('thinking', {'type': 'enabled'})) <= {'type', 'token_budget'}, 'thinking')


class CohereAnswer(Answer):
    def problem(self, status, message):
        self.whole(status, json.dumps({'id': ID, 'message': message}).encode())

    def run(self):
        plan, seen = self.plan, self.seen
        if seen.header('authorization') != self.fake.authorization:
            self.fake.violation(f'authorization is {seen.header("authorization")!r}')
            self.problem(401, 'invalid api token')
            return
        self.peer.watch(plan.number('delay') / 1000)
        if plan.has('status'):
            self.problem(plan.number('status'), 'The fake was told to fail')
            return
        operation = {'/v2/chat': self.chat, '/v2/embed': self.embed, '/v2/rerank': self.rerank}.get(seen.path)
        try:
            require(operation, 'no such operation ' + seen.path)
            operation()
        except (Invalid, KeyError, TypeError) as e:
            self.fake.violation(f'not a request that Cohere takes: {e!r}')
            self.problem(400, str(e))

    # --- chat ---

    def chat(self):
        check_chat(self.seen.json)
        self.stream() if self.seen.json.get('stream') else self.message()

    def words(self):
        if self.seen.json.get('response_format', {}).get('type') == 'json_object':
            return ['{"tide"', ': "high"}']
        return [WORDS[i % len(WORDS)] for i in range(self.plan.number('words', 5))]

    def has_calls(self):
        return self.plan.has('tools') or self.plan.has('parallel')

    def calls(self):
        names = [t['function']['name'] for t in self.seen.json.get('tools', [])] or ['none']
        if self.plan.has('parallel'):
            return [(f'{names[0]}_{i}xk', names[0], ARGUMENTS) for i in range(2)]
        return [(f'{n}_{i}xk', n, ARGUMENTS if i == 0 else '{}') for i, n in enumerate(names)]

    def usage(self):
        text = json.dumps(self.seen.json['messages'])
        return {'billed_units': {'input_tokens': 3 + len(text) // 4, 'output_tokens': 2 + self.plan.number('words', 5)},
                'tokens': {'input_tokens': 500 + len(text) // 4, 'output_tokens': 4 + self.plan.number('words', 5)}}

    def counted(self):
        units = self.usage()['billed_units']
        return units['input_tokens'], units['output_tokens'], 0, 0

    def reason(self):
        return self.plan.text('stop') or ('TOOL_CALL' if self.has_calls() else 'COMPLETE')

    def citation(self):
        return {'start': 0, 'end': 6, 'text': 'Wasser', 'type': 'TEXT_CONTENT',
                'content_index': 1 if self.plan.has('thinking') else 0, 'sources': [
            {'type': 'document', 'id': 'doc:0', 'document': {'id': 'doc:0', 'title': 'Tides', 'url': 'https://x.example/t'}}]}

    def message(self):
        message = {'role': 'assistant', 'content': []}
        if self.plan.has('thinking'):
            message['content'].append({'type': 'thinking', 'thinking': 'The tide goes out.'})
        if self.has_calls():
            message['tool_plan'] = 'I will look.'
            message['tool_calls'] = [{'id': i, 'type': 'function', 'function': {'name': n, 'arguments': a}}
                                     for i, n, a in self.calls()]
            del message['content']
        else:
            message['content'].append({'type': 'text', 'text': ''.join(self.words())})
        if self.plan.has('citations'):
            message['citations'] = [self.citation()]
        self.whole(200, json.dumps({'id': ID, 'message': message, 'finish_reason': self.reason(), 'usage': self.usage()},
                                   ensure_ascii=False).encode(), usage=self.counted())

    def send(self, kind, **more):
        value = {'type': kind, **more}
        self.data(f'event: {kind}\ndata: {json.dumps(value, ensure_ascii=False, separators=(",", ":"))}\n\n'.encode())

    def send_content(self, index, kind, pieces):
        self.send('content-start', index=index, delta={'message': {'content': {'type': kind, kind: ''}}})
        for n, piece in enumerate(pieces):
            self.send('content-delta', index=index, delta={'message': {'content': {kind: piece}}})
            if n == 1 and self.plan.text('fault') == 'close':
                self.fail('close')
        if kind == 'text' and self.plan.has('citations'):
            self.send('citation-start', index=0, delta={'message': {'citations': self.citation()}})
            self.send('citation-end', index=0)
        self.send('content-end', index=index)

    def stream(self):
        plan = self.plan
        self.head(200, [('Content-Type', 'text/event-stream')])
        self.send('message-start', id=ID, delta={'message': {'role': 'assistant', 'content': [], 'tool_plan': '',
                                                             'tool_calls': [], 'citations': []}})
        if plan.has('error_event'):
            self.send('message-end', delta={'error': 'The fake broke off', 'finish_reason': 'ERROR', 'usage': self.usage()})
            self.end()
            return
        if plan.has('thinking'):
            self.send_content(0, 'thinking', ['The tide ', 'goes out.'])
        if self.has_calls():
            for piece in 'I will', ' look.':
                self.send('tool-plan-delta', delta={'message': {'tool_plan': piece}})
            for i, (call, name, arguments) in enumerate(self.calls()):
                self.send('tool-call-start', index=i, delta={'message': {'tool_calls': {
                    'id': call, 'type': 'function', 'function': {'name': name, 'arguments': ''}}}})
                for at in range(0, len(arguments), 7):
                    self.send('tool-call-delta', index=i, delta={'message': {'tool_calls': {
                        'function': {'arguments': arguments[at:at + 7]}}}})
                self.send('tool-call-end', index=i)
        else:
            self.send_content(1 if plan.has('thinking') else 0, 'text', self.words())
        self.send('message-end', delta={'finish_reason': self.reason(), 'usage': self.usage()})
        self.data(b'data: [DONE]\n\n')
        self.end(self.counted())

    # --- the rest ---

    def embed(self):
        body = self.seen.json
        require(set(body) <= EMBED, f'unknown {sorted(set(body) - EMBED)}')
        require(1 <= len(body['texts']) <= 96, f'{len(body["texts"])} texts; at most 96 are taken')
        require(body['input_type'] in ('search_document', 'search_query', 'classification', 'clustering'), 'input_type')
        (kind,) = body['embedding_types']
        if self.plan.has('rest') and len(body['texts']) < 96:
            others = lambda: sum(s.answered for s in self.fake.seen if s.model == self.seen.model)
            end = time.monotonic() + 10
            while others() < 2 and time.monotonic() < end:
                self.peer.watch(0.05)
            self.peer.watch(0.2)
            self.problem(self.plan.number('rest'), 'The fake was told to fail')
            return
        vectors = [[0.25 * (len(t) + 1), -1.5, 0.0, 3.0] for t in body['texts']]
        if kind == 'base64':
            vectors = [base64.b64encode(struct.pack('<4f', *v)).decode() for v in vectors]
        units = {'input_tokens': sum(len(t) for t in body['texts'])}
        self.whole(200, json.dumps({'id': ID, 'embeddings': {kind: vectors}, 'texts': body['texts'],
                                    'response_type': 'embeddings_by_type', 'meta': {
                                        'api_version': {'version': '2'}, 'billed_units': units}}).encode(),
                   usage=(units['input_tokens'], 0, 0, 0))

    def rerank(self):
        body = self.seen.json
        require(set(body) <= RERANK, f'unknown {sorted(set(body) - RERANK)}')
        require(all(isinstance(d, str) for d in body['documents']), 'documents must be texts')
        # The longer, the better.
        order = sorted(range(len(body['documents'])), key=lambda i: -len(body['documents'][i]))
        results = [{'index': i, 'relevance_score': round(0.9 / (n + 1), 6)} for n, i in enumerate(order)]
        self.whole(200, json.dumps({'id': ID, 'results': results[:body.get('top_n', len(results))], 'meta': {
            'api_version': {'version': '2'}, 'billed_units': {'search_units': 1}}}).encode())


class CohereUpstream(FakeUpstream):
    def __init__(self, key='co-fake', **more):
        super().__init__(key=key, **more)

    @property
    def base_url(self):
        return f'http://{self.authority}/v2'

    def answer(self, peer, seen):
        answer = CohereAnswer(peer, seen)
        if seen.path.startswith('/_control/'):
            self.control(answer)
            return
        try:
            seen.json = json.loads(seen.body)
            seen.model = seen.json['model']
        except (ValueError, KeyError, TypeError):
            raise Refused('passed on a body that is not a request: ' + repr(seen.body[:200])) from None
        answer.plan = Plan(seen.model)
        self.told()
        answer.run()


def main():
    parser = argparse.ArgumentParser(description="A stand-in for Cohere's API.")
    parser.add_argument('--port', type=int, default=0)
    args = parser.parse_args()
    fake = CohereUpstream(port=args.port).start()
    print(fake.base_url, flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        fake.stop()


if __name__ == '__main__':
    main()
