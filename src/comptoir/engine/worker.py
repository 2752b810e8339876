"""A worker process: procrastinate fetches wake-ups for two lanes, threads carry out runs, one leader among all ticks.

It outlives a restart of PostgreSQL, hands its runs back when told to end, makes way for the next version when the schema
changes under it, and ends with a code other than 0 in any case but being told to.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
from django.db import DatabaseError, InterfaceError, OperationalError, connections, transaction
from procrastinate import App
from procrastinate.contrib.django.utils import connector_params
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import DeleteJobCondition
from procrastinate.psycopg_connector import PsycopgConnector
from procrastinate.worker import Worker as Fetcher

from comptoir.engine import heart, queue, runs
from comptoir.engine.leader import Leader
from comptoir.engine.models import Lane
from comptoir.kit import schema, sql

logger = logging.getLogger(__name__)

POLL = 0.2  #: seconds between looks for jobs whose notice was missed
GRACE = 15.0  #: seconds that runs get to come to their next step when the worker is told to end
PAUSED = 15  #: seconds after which PostgreSQL ends a transaction of a process that was stopped in the middle of it
FIRST_WAIT, LONGEST_WAIT = 0.2, 5.0
LOOK_FOR_UPGRADE = 2.0  #: seconds between looks whether the schema has changed
TO_THE_END = 60.0  #: seconds that runs get to come to their end when it has; then to their next step
UPGRADED = 75  #: exit code: nothing is broken, start the code that is there by now


class _Fetcher(Fetcher):
    """procrastinate's worker for one lane."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ending = asyncio.Event()

    def stop(self) -> None:
        # Also called by procrastinate when its heartbeat or its listener fails; then it waits for running jobs, which
        # may be long. The lane is built again meanwhile.
        self.ending.set()
        super().stop()  # type: ignore[no-untyped-call]

    async def _periodic_deferrer(self) -> None:
        # Without periodic tasks procrastinate's ends at once, and with it the watch over heartbeat and listener (3.10).
        await asyncio.Event().wait()


class Worker:
    """`run()` it in the main thread of a process; the exit code comes back."""

    def __init__(self, concurrency: int, name: str = "") -> None:
        self.name = name or f"{socket.gethostname()}:{os.getpid()}"
        bulk = max(1, concurrency // 3)  # the rest is reserved, so that a full bulk lane never delays an order
        self._slots = {Lane.LIVE: max(1, concurrency - bulk), Lane.BULK: bulk}
        self._stopping = threading.Event()
        self._failed = threading.Event()
        self._upgraded = False
        self._told_to_end = asyncio.Event()
        self._told_again = asyncio.Event()  # no grace: whoever tells twice means now

    def run(self) -> int:
        """Work until told to end (0) or until something is broken that a restart may cure (1)."""
        end_paused_transactions()
        leader = Leader(self._failed)
        leader.start()
        loop = asyncio.new_event_loop()  # not `asyncio.run`, which would wait for threads that wait for a shop
        try:
            loop.run_until_complete(self._serve())
        finally:
            leader.stop()
        leader.join(timeout=5)
        self._hand_back()
        code = 1 if self._failed.is_set() else 0 if self._told_to_end.is_set() else UPGRADED if self._upgraded else 1
        logger.info("worker %s ends with %s", self.name, code)
        if heart.carried():
            # Threads still wait for an answer of a shop; their runs are no longer theirs, and they cannot be ended.
            logging.shutdown()
            os._exit(code)
        loop.close()
        return code

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        # The default runs 6 at once on 2 cores, whatever was asked for.
        loop.set_default_executor(ThreadPoolExecutor(sum(self._slots.values()) * 2, thread_name_prefix="run"))
        told = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told, told)
        watch = loop.create_task(self._watch(told))
        upgrade = loop.create_task(self._make_way(told))
        wait = FIRST_WAIT
        leftovers: set[asyncio.Task[Any]] = set()
        while not told.is_set():
            began = loop.time()
            try:
                leftovers |= await self._generation(told)
            except (ConnectorException, psycopg.Error, OSError) as error:
                logger.warning("the queue waits for the database: %s", error)
            if not told.is_set():
                wait = FIRST_WAIT if loop.time() - began > 30 else min(wait * 2, LONGEST_WAIT)
                await _first(asyncio.sleep(wait), told.wait())
        watch.cancel()
        upgrade.cancel()
        if leftovers:
            every = asyncio.gather(*leftovers)
            if self._upgraded:
                await _first(asyncio.shield(every), self._told_to_end.wait(), asyncio.sleep(TO_THE_END))
                self._stopping.set()
            await _first(asyncio.shield(every), self._told_again.wait(), asyncio.sleep(GRACE))

    def _told(self, told: asyncio.Event) -> None:
        if self._told_to_end.is_set():
            self._told_again.set()
            return
        logger.info("worker %s was told to end", self.name)
        self._told_to_end.set()
        self._stopping.set()
        told.set()

    async def _watch(self, told: asyncio.Event) -> None:
        while not self._failed.is_set():
            await asyncio.sleep(0.5)
        told.set()

    async def _make_way(self, told: asyncio.Event) -> None:
        """End when the schema changes: whoever changed it has a newer version, which is to take this one's place. What is
        under way goes on meanwhile, since migrations only add."""
        begun = None
        while not told.is_set():
            try:
                now = await asyncio.to_thread(_schema)
            except DatabaseError as error:
                logger.warning("whether the schema has changed is not known: %s", error)
            else:
                begun = begun or now
                if now != begun:
                    logger.warning("the schema was upgraded: worker %s ends, to be started again", self.name)
                    self._upgraded = True
                    told.set()
            await asyncio.sleep(LOOK_FOR_UPGRADE)

    async def _generation(self, told: asyncio.Event) -> set[asyncio.Task[Any]]:
        """Fetch until told to end or until a lane breaks; what is still being carried out then."""
        connector = PsycopgConnector(kwargs=connector_params(), min_size=1, max_size=4, timeout=5)
        app = App(connector=connector)
        app.task(name=queue.TASK)(self._carry_out)
        try:
            await app.open_async()
        except psycopg.Error:
            await app.close_async()
            raise
        fetchers = [
            _Fetcher(
                app,
                queues=[str(lane)],
                name=f"{self.name} {lane}",
                concurrency=slots,
                fetch_job_polling_interval=POLL,
                abort_job_polling_interval=60.0,
                delete_jobs=DeleteJobCondition.ALWAYS,
                install_signal_handlers=False,
                update_heartbeat_interval=heart.BEAT,
                stalled_worker_timeout=heart.STALE,
            )
            for lane, slots in self._slots.items()
        ]
        tasks = [asyncio.create_task(_fetch(fetcher)) for fetcher in fetchers]
        await _first(told.wait(), *(fetcher.ending.wait() for fetcher in fetchers), *map(asyncio.shield, tasks))
        for fetcher in fetchers:
            fetcher.stop()
        return {asyncio.create_task(_after(tasks, app))}

    def _carry_out(self, run_id: int) -> None:
        try:
            runs.execute(run_id, self.name, asked_to_stop=self._stopping.is_set, lingers=True)
        except (DatabaseError, InterfaceError) as error:
            # The database is away: nothing can be written. The run is rescued as if this process had died.
            logger.warning("run %s lost its database: %s", run_id, error)
        finally:
            connections.close_all()  # back to the pool: this thread may sleep for long

    def _hand_back(self) -> None:
        """Give runs that did not come to a step in time to others; their threads are fenced from here on."""
        carried = heart.carried()
        if not carried:
            return
        try:
            with transaction.atomic():
                given = sql.rows(
                    "UPDATE engine_run r SET status = 'queued', stalls = 0, heartbeat_at = clock_timestamp()"
                    " FROM engine_flow f, unnest(%s::bigint[], %s::int[]) AS mine (run, attempt)"
                    " WHERE f.id = r.flow_id AND r.id = mine.run AND r.attempt = mine.attempt AND r.status = 'running'"
                    " RETURNING r.id, f.lane",
                    [[run for run, _ in carried], [attempt for _, attempt in carried]],
                )
                queue.wake([(row[0], row[1]) for row in given])
        except (OperationalError, InterfaceError) as error:
            logger.warning("runs could not be handed back, others will find them: %s", error)


def _schema() -> tuple[int, int]:
    try:
        return schema.state()
    finally:
        connections.close_all()


async def _fetch(fetcher: _Fetcher) -> None:
    try:
        await fetcher.run()  # type: ignore[no-untyped-call]
    except (ConnectorException, psycopg.Error, OSError) as error:
        logger.warning("a lane lost its database: %s", error)


async def _after(tasks: list[asyncio.Task[None]], app: App) -> None:
    await asyncio.gather(*tasks)
    await app.close_async()


async def _first(*waits: Any) -> None:
    tasks = [asyncio.ensure_future(one) for one in waits]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    for task in done:
        task.result()


def end_paused_transactions() -> None:
    """Let PostgreSQL end transactions of this process that sit still: stopped in the middle of one, it would keep rows
    from everybody until it is continued. For connections made from now on."""
    options = connections.settings["default"]["OPTIONS"]
    ours = f"-c idle_in_transaction_session_timeout={PAUSED}s"
    options["options"] = f"{options.get('options', '')} {ours}".strip()


def run(concurrency: int) -> int:
    """`comptoir worker`: Django is set up and the flows are declared by now."""
    return Worker(concurrency).run()
