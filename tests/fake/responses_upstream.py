#!/usr/bin/env python3
# A stand-in for OpenAI's own /v1/responses: as strict as that with what it is sent, and with its shapes of answers.
#
# How to answer is said by the model's name, as in openai_upstream.py; besides what that has for every path:
#   words=N             of the text            tools=N       calls the first N tools   refusal     refuses
#   parallel            calls the first tool twice
#   reasoning           thinks first, sealed   incomplete    runs out of tokens        failed      fails within the answer
#   write=N, gap=MS, status=N, fault=…         as there
import itertools
import json
import sys

from openai_upstream import Answer, FakeUpstream, Plan, WORDS, json_text

MEMBERS = {'model', 'input', 'instructions', 'stream', 'tools', 'tool_choice', 'parallel_tool_calls', 'text', 'reasoning',
           'max_output_tokens', 'temperature', 'top_p', 'truncation', 'include', 'metadata', 'user', 'safety_identifier',
           'prompt_cache_key', 'service_tier', 'top_logprobs', 'store', 'previous_response_id', 'stream_options', 'prompt',
           'background', 'conversation', 'max_tool_calls'}
CONTENT = {'user': {'input_text', 'input_image', 'input_file'}, 'system': {'input_text'}, 'developer': {'input_text'},
           'assistant': {'output_text', 'refusal'}}
INCLUDES = {'reasoning.encrypted_content', 'message.output_text.logprobs', 'message.input_image.image_url'}


class Invalid(Exception):
    def __init__(self, message, param=None, code=None):
        super().__init__(message)
        self.param, self.code = param, code


def require(condition, message, param=None, code='invalid_value'):
    if not condition:
        raise Invalid(message, param, code)


def check_content(role, content, at):
    require(isinstance(content, (str, list)), 'Invalid type for content', at)
    for i, part in enumerate(content if isinstance(content, list) else []):
        where = f'{at}[{i}]'
        require(isinstance(part, dict) and part.get('type') in CONTENT[role], f'Invalid value: {part.get("type")!r}', where)
        if part['type'] in ('input_text', 'output_text'):
            require(isinstance(part.get('text'), str), 'Missing text', where)
        if part['type'] == 'input_image':
            require(('image_url' in part) != ('file_id' in part), 'One of image_url and file_id', where)
            require(part.get('detail', 'auto') in ('auto', 'low', 'high'), 'Invalid detail', where)


def check_items(items):
    calls, answered = {}, set()
    for i, item in enumerate(items):
        at = f'input[{i}]'
        kind = item.get('type', 'message')
        if kind == 'message':
            require(item.get('role') in CONTENT, f'Invalid role {item.get("role")!r}', at)
            check_content(item['role'], item.get('content'), at + '.content')
        elif kind == 'function_call':
            require(all(isinstance(item.get(k), str) for k in ('call_id', 'name', 'arguments')), 'Missing member', at)
            calls[item['call_id']] = i
        elif kind == 'function_call_output':
            require(isinstance(item.get('output'), (str, list)), 'Invalid output', at)
            require(item.get('call_id') in calls, f'No tool call found for function call output with call_id {item.get("call_id")}.', 'input', None)
            answered.add(item['call_id'])
        elif kind == 'reasoning':
            require(isinstance(item.get('summary'), list), 'Missing summary', at)
            require(str(item.get('encrypted_content')).startswith('gAAAA'), 'The encrypted content could not be verified.', at,
                    'invalid_encrypted_content')
        else:
            raise Invalid(f'Invalid value: {kind!r}', at, 'invalid_value')
    for call in calls:
        require(call in answered, f'No tool output found for function call {call}.', 'input', None)


def check_request(body):
    for name in body:
        require(name in MEMBERS, f"Unknown parameter: '{name}'.", name, 'unknown_parameter')
    require(isinstance(body.get('input'), (str, list)) and body['input'], 'Missing required parameter', 'input')
    if isinstance(body['input'], list):
        check_items(body['input'])
    if body.get('previous_response_id'):
        raise Invalid(f'Previous response with id {body["previous_response_id"]!r} not found.', 'previous_response_id',
                      'previous_response_not_found')
    for i, tool in enumerate(body.get('tools') or []):
        if tool['type'] == 'function':
            require('function' not in tool and isinstance(tool.get('name'), str), 'Missing name', f'tools[{i}].name',
                    'missing_required_parameter')
    for name in body.get('include') or []:
        require(name in INCLUDES, f'Invalid include {name}', 'include')
    require(body.get('max_output_tokens') is None or body['max_output_tokens'] >= 16, 'Minimum value is 16', 'max_output_tokens',
            'integer_below_min_value')


ANSWERS = itertools.count()  # numbers are never given twice


class ResponsesAnswer(Answer):
    def run(self):
        self.made = next(ANSWERS)
        if not self.seen.path.endswith('/responses'):
            super().run()
            return
        plan = self.plan
        if self.seen.header('authorization') != self.fake.authorization:
            self.error(401, 'Incorrect API key provided')
            return
        self.peer.step = plan.number('write')
        self.peer.watch(plan.number('delay') / 1000)
        if plan.has('status'):
            self.error(plan.number('status'), 'The fake was told to fail')
            return
        try:
            check_request(self.seen.json)
        except Invalid as e:
            self.whole(400, json_text({'error': {'message': str(e), 'type': 'invalid_request_error', 'param': e.param,
                                                 'code': e.code}}).encode())
            return
        if plan.has('early') and not self.seen.json.get('stream'):
            self.early_whole()
        elif self.seen.json.get('stream'):
            self.stream_response()
        else:
            self.answer_response()

    def early_event(self, kind):
        error = self.early_error(kind)['error']
        code = {'overloaded': 'server_is_overloaded', 'limit': 'rate_limit_exceeded'}.get(kind, 'invalid')
        if self.plan.has('prelude'):  # then the response fails, else there is none
            value = {'type': 'response.failed', 'response': {**self.response('failed', []), 'error': {**error, 'code': code}}}
        else:
            value = {'type': 'error', 'code': code, 'message': error['message'], 'param': None, 'error': {**error, 'code': code}}
        return f'event: {value["type"]}\ndata: {json.dumps({**value, "sequence_number": 2})}\n\n'.encode()

    def early_prelude(self):
        made = self.response('in_progress', [])
        return b''.join(f'event: {kind}\ndata: {json.dumps({"type": kind, "sequence_number": i, "response": made})}\n\n'.encode()
                        for i, kind in enumerate(('response.created', 'response.in_progress')))

    # --- what is said ---

    def output(self):
        plan, n, items = self.plan, self.made, []
        asked = self.seen.json
        if plan.has('reasoning'):
            sealed = 'reasoning.encrypted_content' in (asked.get('include') or [])
            items.append({'id': f'rs_{n:04x}', 'type': 'reasoning', 'summary': [{'type': 'summary_text', 'text': 'I think so'}],
                          **({'encrypted_content': f'gAAAA-{n}'} if sealed else {})})
        called = (asked.get('tools') or [])[:plan.number('tools')]
        if plan.has('parallel'):
            called = asked['tools'][:1] * 2
        for i, tool in enumerate(called):
            items.append({'id': f'fc_{n:04x}{i}', 'type': 'function_call', 'status': 'completed', 'call_id': f'call_{n}_{i}',
                          'name': tool['name'], 'arguments': '{"city":"Zürich"}'})
        if plan.has('refusal'):
            items.append({'id': f'msg_{n:04x}', 'type': 'message', 'status': 'completed', 'role': 'assistant',
                          'content': [{'type': 'refusal', 'refusal': 'I would rather not'}]})
        elif not called:
            text = ''.join(WORDS[i % len(WORDS)] for i in range(plan.number('words', 4)))
            if (asked.get('text') or {}).get('format', {}).get('type') == 'json_schema':
                text = '{"city":"Zürich","degrees":21}'
            items.append({'id': f'msg_{n:04x}', 'type': 'message', 'status': 'incomplete' if plan.has('incomplete') else 'completed',
                          'role': 'assistant', 'content': [{'type': 'output_text', 'annotations': [], 'logprobs': [], 'text': text}]})
        return items

    def response(self, status, output, counts=None):
        asked = self.seen.json
        usage = counts and {'input_tokens': counts[0], 'input_tokens_details': {'cached_tokens': counts[2]},
                            'output_tokens': counts[1], 'output_tokens_details': {'reasoning_tokens': counts[3]},
                            'total_tokens': counts[0] + counts[1]}
        return {'id': f'resp_fake{self.made:04x}', 'object': 'response', 'created_at': 1700000000, 'status': status,
                'background': False, 'error': {'code': 'server_error', 'message': self.said('The fake failed')} if status == 'failed' else None,
                'incomplete_details': {'reason': 'max_output_tokens'} if status == 'incomplete' else None,
                'instructions': asked.get('instructions'), 'max_output_tokens': asked.get('max_output_tokens'),
                'model': Plan(self.seen.model).name + '-2025', 'output': output, 'parallel_tool_calls': True,
                'previous_response_id': None, 'reasoning': {'effort': None, 'summary': None}, 'service_tier': 'default',
                'store': asked.get('store', True), 'temperature': 1.0, 'text': asked.get('text') or {'format': {'type': 'text'}},
                'tool_choice': 'auto', 'tools': asked.get('tools') or [], 'top_p': 1.0, 'truncation': 'disabled', 'usage': usage,
                'user': None, 'metadata': asked.get('metadata') or {}}

    def status(self):
        return 'failed' if self.plan.has('failed') else 'incomplete' if self.plan.has('incomplete') else 'completed'

    def answer_response(self):
        counts = self.counts(self.plan.number('words', 4))
        self.whole(200, json_text(self.response(self.status(), self.output(), counts)).encode(), usage=counts)

    # --- a stream ---

    def tell(self, kind, **more):
        self.number += 1
        value = {'type': kind, 'sequence_number': self.number - 1, **more}
        end = '\r\n' if self.plan.text('eol') == 'crlf' else '\n'
        self.data(f'event: {kind}{end}data: {json.dumps(value, ensure_ascii=False)}{end}{end}'.encode())
        self.peer.watch(self.plan.number('gap') / 1000)

    def tell_message(self, i, item):
        part = item['content'][0]
        name = 'refusal' if part['type'] == 'refusal' else 'text'
        at = {'item_id': item['id'], 'output_index': i, 'content_index': 0}
        self.tell('response.content_part.added', **at, part={**part, name: ''})
        words = part[name]
        kind = 'response.refusal' if name == 'refusal' else 'response.output_text'
        for k in range(0, len(words), 5):
            self.tell(kind + '.delta', **at, delta=words[k:k + 5])
            if self.plan.text('fault') and k >= 5:
                self.fail(self.plan.text('fault'))
        self.tell(kind + '.done', **at, **{name: words})
        self.tell('response.content_part.done', **at, part=part)

    def tell_reasoning(self, i, item):
        text = item['summary'][0]['text']
        at = {'item_id': item['id'], 'output_index': i, 'summary_index': 0}
        self.tell('response.reasoning_summary_part.added', **at, part={'type': 'summary_text', 'text': ''})
        self.tell('response.reasoning_summary_text.delta', **at, delta=text)
        self.tell('response.reasoning_summary_text.done', **at, text=text)
        self.tell('response.reasoning_summary_part.done', **at, part={'type': 'summary_text', 'text': text})

    def tell_call(self, i, item):
        at = {'item_id': item['id'], 'output_index': i}
        for k in range(0, len(item['arguments']), 4):
            self.tell('response.function_call_arguments.delta', **at, delta=item['arguments'][k:k + 4])
        self.tell('response.function_call_arguments.done', **at, arguments=item['arguments'])

    def stream_response(self):
        self.number = 0
        output, status = self.output(), self.status()
        counts = self.counts(self.plan.number('words', 4))
        empty = {'message': {'content': []}, 'reasoning': {'summary': []}, 'function_call': {'arguments': ''}}
        self.head(200, [('Content-Type', 'text/event-stream; charset=utf-8'), ('Cache-Control', 'no-cache')])
        if self.plan.has('early'):
            self.early()
            return
        self.tell('response.created', response=self.response('in_progress', []))
        self.tell('response.in_progress', response=self.response('in_progress', []))
        for i, item in enumerate(output):
            begun = {**item, **empty[item['type']], **({'status': 'in_progress'} if 'status' in item else {})}
            self.tell('response.output_item.added', output_index=i, item=begun)
            {'message': self.tell_message, 'reasoning': self.tell_reasoning, 'function_call': self.tell_call}[item['type']](i, item)
            self.tell('response.output_item.done', output_index=i, item=item)
        self.tell('response.' + status, response=self.response(status, output, counts if status != 'failed' else None))
        self.end(counts)


class ResponsesFake(FakeUpstream):
    def answer(self, peer, seen):
        super().answer(peer, seen, ResponsesAnswer)


if __name__ == '__main__':
    print(ResponsesFake(port=int(sys.argv[1]) if len(sys.argv) > 1 else 0).start().base_url, flush=True)
    import threading
    threading.Event().wait()
