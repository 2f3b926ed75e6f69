#!/usr/bin/env python3
"""node-postgres, unmodified (Debian's node-pg, or npm's in build/node): starts a server and
runs _node_pg.js against it."""
import os
import shutil
import subprocess
import sys

import _demo
from _demo import weirtest

node = shutil.which("node") or shutil.which("nodejs")
if node is None:
    weirtest.skip("nodejs is not installed")
env = {**os.environ, "NODE_PATH": os.pathsep.join(filter(None, [
    os.environ.get("NODE_PATH"), "/usr/share/nodejs", str(weirtest.ROOT / "build" / "node" / "node_modules")]))}
if subprocess.run([node, "-e", "require('pg')"], env=env, capture_output=True).returncode != 0:
    weirtest.skip("node-pg is not installed")
with _demo.serve() as server:
    _demo.fill(server)
    done = subprocess.run([node, _demo.HERE / "_node_pg.js", str(server.pg_port)], env=env, timeout=100)
sys.exit(done.returncode)
