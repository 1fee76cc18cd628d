"""A PostgreSQL server of a test's own: in a temporary folder, on a socket there, ended with the test."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

USER = "bank"


def programs():
    """The folder of the server's programs; none where it is not installed."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    installed = [it.parent for it in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(installed, key=lambda it: int(it.parent.name), default=None)


class Postgres:
    """Runs from its making on; a crash of the machine may cost it everything."""

    def __init__(self):
        self.programs = programs()
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        # PostgreSQL refuses to have root's rights.
        self.owner = {}
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres")
            self.owner = {"user": "postgres", "group": "postgres", "extra_groups": []}
        data = self.folder / "data"
        self._run("initdb", f"--pgdata={data}", f"--username={USER}", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
        log = (self.folder / "server.log").open("w")
        serving = [self.programs / "postgres", "-D", data, "-k", self.folder]
        for setting in ("listen_addresses=", "fsync=off", "full_page_writes=off"):
            serving += ["-c", setting]
        self.process = subprocess.Popen(serving, stdout=log, stderr=log, cwd=self.folder, **self.owner)
        log.close()
        for _ in range(300):
            if self._tool("pg_isready").returncode == 0:
                break
            time.sleep(0.1)
        self.url = f"postgres://{USER}@localhost/postgres?host={quote(str(self.folder), safe='')}"

    def _run(self, name, *arguments):
        subprocess.run(
            [self.programs / name, *arguments], check=True, capture_output=True, timeout=120, cwd=self.folder, **self.owner
        )

    def _tool(self, name, *arguments):
        env = {**os.environ, "PGHOST": str(self.folder), "PGUSER": USER}
        return subprocess.run([self.programs / name, *arguments], capture_output=True, text=True, timeout=60, env=env)

    def number(self, sql):
        """What a statement gives that asks for one number."""
        done = self._tool("psql", "--no-psqlrc", "--tuples-only", "--no-align", "--command", sql, "postgres")
        return int(done.stdout)

    def stop(self):
        """Ends this very server."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)
        shutil.rmtree(self.folder)
