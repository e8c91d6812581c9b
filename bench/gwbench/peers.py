"""Other gateways as servers of the bench: LiteLLM's proxy, Portkey's gateway, and Penstock as it was at an earlier commit."""

import json
import os
import shutil
import subprocess
import sys

from . import procs
from .proxies import Penstock, Proxy

LITELLM_VERSION, PORTKEY_VERSION = "1.106.2", "1.15.2"
HONO_VERSION = "1.19.19"  # the one that Portkey's is mended with
MODELS = ("plain-1k", "stream-16")


def run(args, cwd=None, env=None, timeout=900):
    done = subprocess.run(args, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=timeout, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(args)}:\n{done.stdout[-3000:]}")
    return done.stdout


class Litellm(Proxy):
    """One worker process, its prices from its own package, no database, no telemetry; a master key is checked."""

    name = "litellm"

    def __init__(self, bench, folder):
        super().__init__(bench)
        self.folder = os.path.join(folder, f"litellm-{LITELLM_VERSION}")
        self.binary = os.path.join(self.folder, "bin", "litellm")

    def install(self):
        if os.path.exists(os.path.join(self.folder, "done")):
            return
        procs.note(f"installing litellm {LITELLM_VERSION} into {self.folder}")
        shutil.rmtree(self.folder, ignore_errors=True)
        run([sys.executable, "-m", "venv", self.folder])
        run([os.path.join(self.folder, "bin", "pip"), "install", "--quiet", "--disable-pip-version-check",
             f"litellm[proxy]=={LITELLM_VERSION}"])
        with open(os.path.join(self.folder, "done"), "w", encoding="ascii"):
            pass

    def version(self):
        return LITELLM_VERSION

    def env(self):
        return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": self.bench.folder, "LITELLM_LOCAL_MODEL_COST_MAP": "True",
                "LITELLM_LOG": "ERROR", "LITELLM_TELEMETRY": "False", "DISABLE_ADMIN_UI": "True", "PYTHONUNBUFFERED": "1"}

    def command(self):
        conf = self.bench.path("litellm.yaml")
        with open(conf, "w", encoding="ascii") as f:
            json.dump({"model_list": [{"model_name": m, "litellm_params": {
                "model": f"openai/{m}", "api_key": "sk-mock", "api_base": f"http://127.0.0.1:{self.bench.mock_port}/v1"}} for m in MODELS],
                "general_settings": {"master_key": self.key}, "litellm_settings": {"telemetry": False}}, f)
        return [self.binary, "--config", conf, "--host", "127.0.0.1", "--port", str(self.plain_port), "--num_workers", "1",
                "--telemetry", "False"]

    ready_path, ready_timeout = "/health/readiness", 120.0

    def port(self, _stream):
        return self.plain_port


class Portkey(Proxy):
    """It is told its provider by the request's headers, and checks no key."""

    name = "portkey"

    def __init__(self, bench, folder):
        super().__init__(bench)
        self.folder = os.path.join(folder, f"portkey-{PORTKEY_VERSION}")
        self.binary = os.path.join(self.folder, "node_modules", "@portkey-ai", "gateway", "build", "start-server.js")
        self.headers = ("x-portkey-provider: openai", f"x-portkey-custom-host: http://127.0.0.1:{bench.mock_port}/v1")

    def install(self):
        if os.path.exists(os.path.join(self.folder, "done")):
            return
        procs.note(f"installing @portkey-ai/gateway {PORTKEY_VERSION} into {self.folder}")
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        with open(os.path.join(self.folder, "package.json"), "w", encoding="ascii") as f:
            json.dump({"private": True, "dependencies": {"@portkey-ai/gateway": PORTKEY_VERSION},
                       "overrides": {"@hono/node-server": HONO_VERSION}}, f)
        run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"], cwd=self.folder)
        self.mend()
        with open(os.path.join(self.folder, "done"), "w", encoding="ascii"):
            pass

    def mend(self):
        """The npm package lacks the patch of @hono/node-server that its authors apply to their own builds: without it each
        stream is answered with status 500, since the headers of an upstream's answer cannot be added to. So they are copied."""
        path = os.path.join(self.folder, "node_modules", "@hono", "node-server", "dist", "index.mjs")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        was = "body, headers || init?.headers]"
        now = "body, headers || (body?.getReader && init?.headers ? new Headers(init.headers) : init?.headers)]"
        if was not in text:
            raise RuntimeError(f"{path} is another than the one that was mended here")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace(was, now))

    def version(self):
        return PORTKEY_VERSION

    def env(self):
        return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": self.bench.folder, "TRUSTED_CUSTOM_HOSTS": "127.0.0.1",
                "NODE_ENV": "production"}

    def command(self):
        return ["node", self.binary, f"--port={self.plain_port}", "--headless"]

    ready_path, ready_timeout = "/", 60.0

    def port(self, _stream):
        return self.plain_port


class Now(Penstock):
    def __init__(self, bench):
        super().__init__(bench, MODELS)

    def install(self):
        pass

    def version(self):
        return run([self.binary, "version"]).split("\n")[0].strip()


class Then(Now):
    """Penstock at another commit, built in a work tree of its own; the configuration is one that the first knew already."""

    name = "penstock-then"

    def __init__(self, bench, folder, root, revision):
        super().__init__(bench)
        self.root, self.at = root, run(["git", "-C", root, "rev-parse", "--short=12", f"{revision}^{{commit}}"]).strip()
        self.folder = os.path.join(folder, f"penstock-{self.at}")
        self.binary = os.path.join(self.folder, "build", "penstock")

    def install(self):
        if os.access(self.binary, os.X_OK):
            return
        procs.note(f"building Penstock at {self.at} in {self.folder}")
        tree = os.path.join(self.folder, "tree")
        if not os.path.exists(os.path.join(tree, "CMakeLists.txt")):
            os.makedirs(tree, exist_ok=True)
            archive = os.path.join(self.folder, "tree.tar")
            run(["git", "-C", self.root, "archive", "--output", archive, self.at])
            run(["tar", "-xf", archive, "-C", tree])
        run(["cmake", "--preset", "release", "-B", os.path.join(self.folder, "build")], cwd=tree)
        run(["ninja", "-C", os.path.join(self.folder, "build"), "penstock"], timeout=1800)

    def version(self):
        return self.at

    def command(self):
        args = super().command()
        conf = self.bench.path("penstock.yaml")
        own = self.bench.path("penstock-then.yaml")
        os.replace(conf, own)
        return [own if a == conf else a for a in args]

    data_prefix = "penstock-then-data"
