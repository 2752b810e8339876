"""PostgreSQL is restarted under a worker in the middle of a run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import toy_world as world
from toy_harness import wait_until

from comptoir.kit import postgres

pytestmark = pytest.mark.kill

HERE = Path(__file__).parent


@pytest.fixture
def server() -> Iterator[Any]:
    folder = Path(tempfile.mkdtemp(prefix="comptoir-restart-"))
    folder.chmod(0o755)  # the user that runs PostgreSQL for root must get in
    server = postgres.start(folder)
    yield server
    server.stop()
    postgres.remove(folder)
    shutil.rmtree(folder, ignore_errors=True)


def test_a_worker_outlives_a_restart_of_postgresql_in_the_middle_of_a_run(
    server: Any, shop: world.Shop, tmp_path: Path
) -> None:
    errors = tmp_path / "stderr"
    environment = {
        **os.environ,
        "COMPTOIR_DATABASE_URL": server.url,
        "PYTHONPATH": str(HERE),
        world.PORT: str(shop.port),
    }
    environment.pop("COMPTOIR_TEST_CHILD_URL", None)  # another database: that of the other tests' children
    subprocess.run([sys.executable, "-m", "django", "migrate", "-v0", "--skip-checks"], env=environment, check=True)
    with errors.open("w") as log:
        worker = subprocess.Popen(
            [sys.executable, "-c", "import toy_process; toy_process.work_until_told(3)"], env=environment, stderr=log
        )
    try:

        def ask(query: str, *params: Any) -> Any:
            with psycopg.connect(server.url) as connection:
                row = connection.execute(query, params).fetchone()
                return row[0] if row else None

        def began() -> int:
            return int(ask("SELECT count(*) FROM toy_start"))

        with psycopg.connect(server.url) as connection:
            connection.execute(world.TABLES)
            connection.execute(
                "INSERT INTO channels_channel (name, code, kind, mode, config, sealed, external_identity, timezone, currency,"
                " version, health, health_text, writes_paused, accepts_by_itself, hold_scope, hold_days, owns_products,"
                " webhook_token, created_at) VALUES ('toy', 'toy', 'toy', 'production', '{}', '', '', 'UTC', '', '', 'good', '',"
                " false, true, 'everywhere', 3, true, 'toy', now())"
            )
            connection.execute(
                "INSERT INTO engine_flow (channel_id, kind, lane, enabled, cron, timezone, cursor, wanted_by, empty_runs,"
                " failures, wanted_at) SELECT id, 'toy_long', 'bulk', true, '', 'UTC', '{}', 'person', 0, 0, now()"
                " FROM channels_channel"
            )
        wait_until(began)
        server.restart()
        wait_until(lambda: began() == 2)
        ask("INSERT INTO toy_gate VALUES ('open') RETURNING 1")
        wait_until(lambda: ask("SELECT status FROM engine_run") == "done")
        assert ask("SELECT attempt FROM engine_run") == 2
        assert worker.poll() is None
        worker.terminate()
        assert worker.wait(30) == 0
    finally:
        worker.kill()
        worker.wait()
        sys.stderr.write(errors.read_text())
