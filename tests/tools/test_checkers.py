#!/usr/bin/env python3
# Shows that the checkers of tools/ accept this tree's shape and catch each kind of violation.
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
TOOLS = os.path.join(HERE, '..', '..', 'tools')
GOOD = '// Something small that a test can include.\n'


class Tree(unittest.TestCase):
    """A small tree with the real layer table, to which each test adds one file."""

    def setUp(self):
        self.root = tempfile.mkdtemp(prefix='penstock-tools-')
        self.addCleanup(shutil.rmtree, self.root)
        with open(os.path.join(TOOLS, 'layers.txt'), encoding='utf-8') as table:
            layers = table.read()
        self.write('tools/layers.txt', layers)
        rooms = [line.split()[1].rstrip(':') for line in layers.split('\n') if line.startswith('room ')]
        self.write('CMakeLists.txt', ''.join(f'room({room})\n' for room in rooms if room != 'main'))
        self.write('src/base/str.h', GOOD + '#include <stdint.h>\n')

    def write(self, path, text):
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, 'w', encoding='utf-8') as out:
            out.write(text)

    def run_tool(self, tool):
        done = subprocess.run([sys.executable, os.path.join(TOOLS, tool), self.root], capture_output=True, text=True,
                              check=False)
        return done.returncode, done.stderr

    def accepted(self, tool):
        self.assertEqual(self.run_tool(tool), (0, ''))

    def refused(self, tool, *parts):
        code, said = self.run_tool(tool)
        self.assertEqual(code, 1, said)
        self.assertEqual(len(said.splitlines()), 1, said)
        for part in parts:
            self.assertIn(part, said)


class Layers(Tree):
    def test_accepts_what_is_allowed(self):
        self.write('src/os/loop.c', GOOD + '#include "base/str.h"\n#include "os/loop.h"\n#include <uv.h>\n#include <sys/stat.h>\n')
        self.write('src/main.c', GOOD + '#include "cli/cli.h"\n')
        self.write('tests/unit/os/test_loop.c', GOOD + '#include "check.h"\n#include "os/loop.h"\n#include <unistd.h>\n')
        self.write('tests/unit/base/test_b.c', GOOD + '#include "../../fuzz/helper.h"\n')
        self.write('tests/fuzz/fuzz_x.c', GOOD + '#include "net/http1.h"\n')
        self.accepted('check_layers')

    def test_refuses_an_upper_room(self):
        self.write('src/base/a.c', GOOD + '#include "os/loop.h"\n')
        self.refused('check_layers', 'src/base/a.c:2', 'base may not include "os/loop.h"')

    def test_refuses_an_upper_room_in_a_unit_test(self):
        self.write('tests/unit/base/test_a.c', GOOD + '#include "check.h"\n  #  include "gateway/call.h"\n')
        self.refused('check_layers', 'tests/unit/base/test_a.c:3')

    def test_refuses_the_system_outside_os(self):
        for header in ('uv.h', 'unistd.h', 'fcntl.h', 'pthread.h', 'sys/socket.h', 'sys/mman.h', 'netinet/in.h', 'poll.h'):
            self.write('src/net/a.c', GOOD + f'#include <{header}>\n')
            self.refused('check_layers', f'<{header}> is not for net')

    def test_refuses_a_library_in_another_room(self):
        for room, header in (('net', 'sqlite3.h'), ('store', 'openssl/ssl.h'), ('net', 'yaml.h'), ('base', 'sodium.h')):
            self.write('src/access/a.c', GOOD)
            self.write(f'src/{room}/a.c', GOOD + f'#include <{header}>\n')
            self.refused('check_layers', header)
            os.remove(os.path.join(self.root, f'src/{room}/a.c'))

    def test_refuses_an_unknown_header(self):
        self.write('src/os/a.c', GOOD + '#include <some/new.h>\n')
        self.refused('check_layers', 'some/new.h')

    def test_refuses_an_include_without_its_room(self):
        self.write('src/base/a.c', GOOD + '#include "str.h"\n')
        self.refused('check_layers', '"base/str.h"')

    def test_refuses_a_way_around_the_rooms(self):
        self.write('src/base/a.c', GOOD + '#include "../os/loop.h"\n')
        self.refused('check_layers', '"../os/loop.h"')

    def test_refuses_an_unknown_room(self):
        self.write('src/attic/a.c', GOOD)
        self.refused('check_layers', 'attic')

    def test_refuses_a_file_that_does_not_say_what_it_is_for(self):
        for first in ('#include <stdint.h>\n', '\n', '// Short.\n', '/* Another kind of comment than the rest. */\n',
                      '// Does one thing well. Does another as well.\n'):
            self.write('src/base/a.c', first)
            self.refused('check_layers', 'src/base/a.c:1')

    def test_refuses_another_order_than_the_builds(self):
        self.write('CMakeLists.txt', 'room(os)\nroom(base)\n')
        self.refused('check_layers', 'CMakeLists.txt has the rooms os base')


def function(lines):
    return 'static int f(int a,\n             int b) {\n' + '    a++;\n' * (lines - 3) + '}\n'


class Sizes(Tree):
    def test_accepts_the_limits(self):
        self.write('src/base/a.c', GOOD + function(60) + '\n' + function(60))
        self.write('src/base/b.c', GOOD * 800)
        self.write('src/base/c.c', GOOD + 'static const int TABLE[] = {\n' + '    1,\n' * 100 + '};\n')
        self.write('src/base/d.h', GOOD + 'struct big {\n' + '    int a;\n' * 100 + '};\nint f(int a);\n')
        self.accepted('check_size')

    def test_refuses_a_long_function(self):
        self.write('src/base/a.c', GOOD + function(10) + function(61) + function(10))
        self.refused('check_size', 'src/base/a.c:12', 'f has 61 lines')

    def test_refuses_a_long_function_in_a_test(self):
        self.write('tests/unit/base/test_a.c', GOOD + 'static void case_a(void) {\n' + '    x();\n' * 60 + '}\n')
        self.refused('check_size', 'case_a has 62 lines')

    def test_refuses_a_long_file(self):
        for path in ('src/base/a.c', 'tests/integration/run.mjs', 'tools/thing', 'dev'):
            self.write(path, '# one more line\n' * 801)
            self.refused('check_size', f'{path}: 801 lines')
            os.remove(os.path.join(self.root, path))

    def test_refuses_a_long_build_file(self):
        self.write('CMakeLists.txt', '#\n' * 150)
        self.refused('check_size', 'CMakeLists.txt')


unittest.main()
