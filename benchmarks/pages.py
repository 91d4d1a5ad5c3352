"""What the pages cost on the server, against the database that `rows.py` filled.

The first look pays for what the process does not know yet; the others are the median of ten. A
rating before each look at the curve makes sure that there is something new to it: the page shows a
study so large as of some moments ago. SHADOWEVAL_PREVIEW_PAIRS=1000000000 has it wait instead.
Run: DATABASE_URL=... REDIS_URL=... .venv/bin/python benchmarks/pages.py
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("/overview/", "/pairs/", "/pairs/?task=code", "/threshold/", "/rate/")
LOOKS, RATINGS = 10, 40
FETCH = {"X-Requested-With": "fetch"}


def rate_one() -> None:
    """Write one more verdict, as a rater would."""
    from reviews import rating
    from reviews.models import Rater, Study

    rater = Rater.objects.get(name="scale 0")
    shown = rating.hand_out(Study.objects.get(name="Scale"), rater)
    rating.submit(shown.token, rater, choice="equal", left_adequate=True, right_adequate=True)


def database_s() -> float:
    """Return the CPU seconds of this database's connections so far, where they run here."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
        pids = [pid for (pid,) in cursor.fetchall()]
    stats = [Path(f"/proc/{pid}/stat") for pid in pids]
    ticks = [path.read_text().rsplit(")", 1)[1].split()[11:13] for path in stats if path.exists()]
    return sum(int(n) for pair in ticks for n in pair) / os.sysconf("SC_CLK_TCK")


def look(client, address: str) -> tuple[float, float]:
    """Return the milliseconds of one look: by the clock, and of this process's CPU."""
    begun, cpu = time.perf_counter(), time.process_time()
    response = client.get(f"{address}{'&' if '?' in address else '?'}project=scale")
    assert response.status_code == 200, (address, response.status_code)
    return (time.perf_counter() - begun) * 1000, (time.process_time() - cpu) * 1000


def rate_on(client) -> list[float]:
    """Return the milliseconds from each saved rating to the next pair, as the page asks for it."""
    page = client.get("/rate/")
    if page.context["step"] == "briefing":
        version = page.context["briefing"].guideline.version
        page = client.post("/rate/guidelines/", {"version": version}, headers=FETCH)
    took = []
    while len(took) < RATINGS:
        if page.context["step"] == "origin":
            said = {"guess": "unsure"}
            address = f"/rate/{page.context['token']}/origin/"
        else:
            said = {"choice": "equal", "left_adequate": "yes", "right_adequate": "yes"}
            address = f"/rate/{page.context['pair'].token}/"
        begun = time.perf_counter()
        page = client.post(address, said, headers=FETCH)
        took.append((time.perf_counter() - begun) * 1000)
    return took


def main() -> None:
    sys.path.insert(0, str(ROOT))
    os.environ |= {"DJANGO_SETTINGS_MODULE": "shadoweval.settings"}
    import django

    django.setup()
    from django.contrib.auth.models import User
    from django.test import Client
    from django.test.utils import setup_test_environment

    from reviews import permissions, sampling
    from reviews.models import Study

    permissions.ensure_roles()
    user, _ = User.objects.get_or_create(username="bench", defaults={"password": "!"})
    permissions.give(user, "lead", "admin", "product")
    client = Client(headers={"host": "localhost"})
    client.force_login(user)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(
        f"load {os.getloadavg()[0]:.1f}; CPU is the page's and its queries' together, in the mean"
    )
    print(f"{'ms on the server':24} {'first':>8} {'median':>8} {'CPU':>8}")
    for address in PAGES:
        first, _ = look(client, address)
        if address == "/threshold/":
            rate_one()
        looks, before = [], database_s()
        for _ in range(LOOKS):
            if address == "/threshold/":
                rate_one()
            looks.append(look(client, address))
        cpu = statistics.mean(spent for _, spent in looks)
        cpu += (database_s() - before) / LOOKS * 1000
        median = statistics.median(took for took, _ in looks)
        print(f"{address:24} {first:8.0f} {median:8.0f} {cpu:8.0f}")
    setup_test_environment()  # what a page was made of is kept from here on
    took = sorted(rate_on(client))  # the slowest stands in the first column
    print(f"{'rating saved, next pair':24} {took[-1]:8.0f} {statistics.median(took):8.0f}")
    begun = time.perf_counter()
    sampling.extend(Study.objects.get(name="Scale"))
    print(f"{'extend_samples':24} {(time.perf_counter() - begun) * 1000:8.0f}")


if __name__ == "__main__":
    main()
