# Counts the tokens of texts by the vendor's own program, line by line; run by the Python of build/python, which has it.
#
# usage: token_counter.py NODE_MODULES    reads lines of JSON, [tokenizer, [text, …]]; answers each with a list of counts
import json
import sys

from token_reference import REFERENCES

encoders = {}
for line in sys.stdin:
    name, texts = json.loads(line)
    if name not in encoders:
        encoders[name] = REFERENCES[name](sys.argv[1], name)
    print(json.dumps([len(encoders[name](text)) for text in texts]), flush=True)
