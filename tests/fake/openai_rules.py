# What OpenAI refuses of a chat completion's request, as far as the stand-in for it checks that.

TOP = {'model', 'messages', 'stream', 'stream_options', 'tools', 'tool_choice', 'parallel_tool_calls', 'response_format',
       'max_completion_tokens', 'max_tokens', 'temperature', 'top_p', 'seed', 'frequency_penalty', 'presence_penalty', 'stop',
       'n', 'reasoning_effort', 'user', 'safety_identifier', 'metadata', 'service_tier', 'verbosity', 'logit_bias',
       'logprobs', 'top_logprobs', 'modalities', 'audio', 'prompt_cache_key', 'prediction', 'store', 'web_search_options'}
ROLES = {'system': {'role', 'content', 'name'}, 'developer': {'role', 'content', 'name'},
         'user': {'role', 'content', 'name'}, 'tool': {'role', 'content', 'tool_call_id'},
         'assistant': {'role', 'content', 'name', 'tool_calls', 'refusal', 'audio', 'function_call'}}
PARTS = {'text', 'image_url', 'input_audio', 'file', 'refusal'}


def calls_problem(messages):
    """Each call is answered at once, and nothing is answered that was not called."""
    open_calls = []
    for i, m in enumerate(messages):
        if m.get('role') == 'tool':
            if m.get('tool_call_id') not in open_calls:
                return f'messages[{i}]: no call {m.get("tool_call_id")!r} went before it'
            open_calls.remove(m['tool_call_id'])
            continue
        if open_calls:
            return f'messages[{i}]: the calls {open_calls} are not answered'
        for call in m.get('tool_calls') or []:
            if not isinstance(call.get('id'), str) or not isinstance(call.get('function', {}).get('arguments'), str):
                return f'messages[{i}].tool_calls: a call needs an id and arguments as text'
            open_calls.append(call['id'])
    return f'the calls {open_calls} are not answered' if open_calls else None


def member_problem(asked):
    unknown = set(asked) - TOP
    if unknown:
        return f'Unrecognized request arguments supplied: {", ".join(sorted(unknown))}'
    for i, m in enumerate(asked['messages']):
        if m.get('role') not in ROLES:
            return f'messages[{i}].role is {m.get("role")!r}'
        if set(m) - ROLES[m['role']]:
            return f'messages[{i}] has {sorted(set(m) - ROLES[m["role"]])}'
        for part in m['content'] if isinstance(m.get('content'), list) else []:
            if part.get('type') not in PARTS or set(part) - {'type', part['type']}:
                return f'messages[{i}].content has a part {part}'
        if any(len(c['id']) > 40 for c in m.get('tool_calls') or []):
            return f'messages[{i}].tool_calls has an id of more than 40 bytes'
    name = asked['model'].split(';')[0]
    if name.startswith(('o1', 'o3', 'o4', 'gpt-5')):
        for refused in ('max_tokens', 'temperature', 'top_p', 'stop', 'logit_bias', 'presence_penalty', 'frequency_penalty'):
            if refused in asked:
                return f"Unsupported parameter: '{refused}' is not supported with this model."
    if asked.get('tool_choice') and not asked.get('tools'):
        return "'tool_choice' is only allowed when 'tools' are specified."
    if len(asked['stop'] if isinstance(asked.get('stop'), list) else []) > 4:
        return "'stop' has more than 4 entries"
    return None


def problem(seen, plan):
    """What is wrong with it, or None."""
    messages = seen.json.get('messages') if isinstance(seen.json, dict) else None
    if not seen.path.endswith('/chat/completions') or not isinstance(messages, list):
        return None
    if not all(isinstance(m, dict) for m in messages):
        return None
    return calls_problem(messages) or (member_problem(seen.json) if plan.has('strict') else None)
