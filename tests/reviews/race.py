"""Two at once, without luck: the second one starts while the first has not committed."""

import threading
import time

from django.db import connection, transaction


def after(first, second):
    """Run `first`, keep it uncommitted until `second` waits for it or is through, then commit."""

    def run():
        second()
        connection.close()

    thread = threading.Thread(target=run)
    with transaction.atomic(), connection.cursor() as cursor:
        first()
        thread.start()
        while thread.is_alive() and not _somebody_waits(cursor):
            time.sleep(0.01)
    thread.join()


def _somebody_waits(cursor):
    cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
    return cursor.fetchone()[0]
