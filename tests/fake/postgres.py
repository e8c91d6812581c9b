#!/usr/bin/env python3
"""A PostgreSQL server of its own for tests: Debian's, in a temporary folder, stopped by its own process number.

    postgres.py COMMAND…      runs each command (one shell word list each, "--" between them) with the server's URL in
                              PENSTOCK_TEST_DATABASE; exits non-zero when one does

In Python: `with Postgres() as pg: pg.url("name")` makes a database of that name and gives its URL."""
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

USER = "penstock"
PASSWORD = "p%40ss"  # as it stands in a URL; with a character that has to be escaped there
PASSWORD_PLAIN = "p@ss"


def binaries():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"), key=lambda p: int(p.split("/")[4]))
    if not found:
        sys.exit("no PostgreSQL server is installed: apt-get install postgresql-15")
    return os.path.dirname(found[-1])


class Postgres:
    def __init__(self):
        self.bin = binaries()
        self.dir = tempfile.mkdtemp(prefix="penstock-pg-")
        self.data = os.path.join(self.dir, "data")
        self.process = None
        # The server refuses to run as root.
        self.account = pwd.getpwnam("postgres") if os.getuid() == 0 else None
        if self.account:
            os.chown(self.dir, self.account.pw_uid, self.account.pw_gid)

    def _as_server(self):
        if not self.account:
            return {}
        return {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": [], "cwd": self.dir}

    def _tool(self, name, *args, **more):
        return subprocess.run([os.path.join(self.bin, name), *args], check=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **self._as_server(), **more)

    def start(self):
        try:
            self._tool("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
                       "--no-sync")
        except subprocess.CalledProcessError as error:
            sys.exit("initdb failed:\n" + error.stdout)
        with open(os.path.join(self.data, "pg_hba.conf"), "w") as hba:
            # Passwords as md5: a test makes thousands of connections, and SCRAM is slow on purpose.
            hba.write("local all postgres trust\nhost all all 127.0.0.1/32 md5\n")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._launch()
        self.psql("postgres", f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD_PLAIN}'; "
                              f"CREATE ROLE almighty LOGIN SUPERUSER PASSWORD '{PASSWORD_PLAIN}';")
        return self

    def _launch(self):
        self.log = open(os.path.join(self.dir, "log"), "ab")
        self.process = subprocess.Popen(
            [os.path.join(self.bin, "postgres"), "-D", self.data, "-p", str(self.port), "-k", self.dir,
             "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "password_encryption=md5", "-c", "max_connections=100"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True, **self._as_server())
        deadline = time.monotonic() + 60
        while subprocess.run([os.path.join(self.bin, "pg_isready"), "-q", "-h", self.dir, "-p", str(self.port)],
                             check=False).returncode:
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit("PostgreSQL does not start:\n" + open(os.path.join(self.dir, "log")).read())
            time.sleep(0.05)

    def psql(self, database, text):
        """Runs statements as the superuser; what they print."""
        done = subprocess.run([os.path.join(self.bin, "psql"), "-qAtX", "-v", "ON_ERROR_STOP=1", "-h", self.dir, "-p",
                               str(self.port), "-U", "postgres", "-d", database, "-c", text],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stdout)
        return done.stdout.strip()

    def psql_file(self, database, path):
        """Likewise, those of a file."""
        done = subprocess.run([os.path.join(self.bin, "psql"), "-qAtX", "-v", "ON_ERROR_STOP=1", "-h", self.dir, "-p",
                               str(self.port), "-U", "postgres", "-d", database, "-f", path],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stdout[-2000:])
        return done.stdout.strip()

    def url(self, name, user=USER):
        """The URL of a new database that the ordinary user owns."""
        self.psql("postgres", f"CREATE DATABASE {name} OWNER {USER}")
        return f"postgres://{user}:{PASSWORD}@127.0.0.1:{self.port}/{name}"

    def stop(self, how=signal.SIGINT):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)  # SIGINT: fast shutdown
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()

    def restart(self):
        self.stop()
        self._launch()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


def main(words):
    commands = [[]]
    for word in words:
        if word == "--":
            commands.append([])
        else:
            commands[-1].append(word)
    failed = 0
    with Postgres() as pg:
        url = pg.url("penstock")
        for command in filter(None, commands):
            print("==", os.path.basename(command[0]), flush=True)
            env = {**os.environ, "PENSTOCK_TEST_DATABASE": url}
            failed += subprocess.run(command, env=env, check=False).returncode != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
