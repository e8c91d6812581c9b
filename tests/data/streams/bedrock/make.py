#!/usr/bin/env python3
# Writes the recorded-shape streams beside it, which are binary: run it after a change of what they hold.
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', '..', '..', 'fake'))
from bedrock_upstream import event, exception  # noqa: E402


def delta(index, **what):
    return event('contentBlockDelta', {'contentBlockIndex': index, 'delta': what, 'p': 'abcdefghij'})


START = event('messageStart', {'role': 'assistant', 'p': 'abc'})


def stop(index):
    return event('contentBlockStop', {'contentBlockIndex': index, 'p': 'ab'})


def end(reason, **usage):
    return [event('messageStop', {'stopReason': reason, 'p': 'a'}),
            event('metadata', {'usage': usage, 'metrics': {'latencyMs': 431}, 'p': 'abcd'})]


STREAMS = {
    'text': [START, delta(0, text='Wasser '), delta(0, text='strömt 🌊\n"hier"'), stop(0),
             *end('end_turn', inputTokens=11, outputTokens=7, totalTokens=118, cacheReadInputTokens=80,
                  cacheWriteInputTokens=20, cacheDetails=[{'ttl': '5m', 'inputTokens': 5}, {'ttl': '1h', 'inputTokens': 15}])],
    'tools': [START, delta(0, text='Let me look.'), stop(0),
              event('contentBlockStart', {'contentBlockIndex': 1, 'start': {'toolUse': {'toolUseId': 'tooluse_a', 'name': 'weather'}}}),
              delta(1, toolUse={'input': ''}), delta(1, toolUse={'input': '{"city": "Zür'}),
              event('contentBlockStart', {'contentBlockIndex': 2, 'start': {'toolUse': {'toolUseId': 'tooluse_b', 'name': 'now'}}}),
              delta(1, toolUse={'input': 'ich"}'}), stop(1), stop(2),
              *end('tool_use', inputTokens=30, outputTokens=20, totalTokens=50)],
    'thinking': [START, delta(0, reasoningContent={'text': 'The tide '}), delta(0, reasoningContent={'text': 'goes out.'}),
                 delta(0, reasoningContent={'signature': 'EqQBCgIYAhIM+/=='}), stop(0),
                 delta(1, reasoningContent={'redactedContent': 'c2VjcmV0'}), stop(1),
                 delta(2, text='Low.'),
                 delta(2, citation={'title': 'Tides', 'sourceContent': [{'text': 'it goes'}],
                                    'location': {'documentPage': {'documentIndex': 0, 'start': 3, 'end': 4}}}), stop(2),
                 *end('max_tokens', inputTokens=5, outputTokens=9, totalTokens=14)],
    'exception': [START, delta(0, text='One'), exception('throttlingException', 'Too many tokens, "please" wait.')],
    'cut': [START, delta(0, text='One')],
    'filtered': [START, delta(0, text='No'), stop(0), *end('guardrail_intervened', inputTokens=1, outputTokens=1, totalTokens=2)],
}

if __name__ == '__main__':
    for name, events in STREAMS.items():
        with open(os.path.join(HERE, name + '.bin'), 'wb') as f:
            f.write(b''.join(events))
