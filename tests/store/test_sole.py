"""One control a database: a second one is refused while the first lives, and may take over when it is gone."""

import psycopg
import pytest

from alliage.control.ports import Changes
from alliage.errors import StoreError
from alliage.store.sql import open_store
from tests.builders import a_node
from tests.store.postgres import Server


def test_second_control_on_one_server_is_refused(postgres: Server) -> None:
    """Two homes with one [store] url: the second says who is in the way; a reader that is no control may come."""
    url = postgres.new_database()
    first = open_store(url, sole_writer=True)
    try:
        with pytest.raises(StoreError, match="another control"):
            open_store(url, sole_writer=True)
        reader = open_store(url)
        assert reader.snapshot().version == 0
        reader.close()
    finally:
        first.close()
    open_store(url, sole_writer=True).close()


def test_lock_is_taken_again_after_the_server_cut_us_off(postgres: Server) -> None:
    """All connections are ended (a restart of the server): the next commit works, and the lock is ours again."""
    url = postgres.new_database()
    store = open_store(url, sole_writer=True)
    try:
        with psycopg.connect(url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        assert store.commit(0, Changes(nodes=(a_node(),))) == 1
        with pytest.raises(StoreError, match="another control"):
            open_store(url, sole_writer=True)
    finally:
        store.close()
