"""Usage exports: read, refused with the line, and compared in both directions."""

from datetime import date
from decimal import Decimal

import pytest
from django.core.cache import cache
from django.utils import timezone

from routing import reconciling
from routing.models.usage import Reconciliation
from routing.reconciling import BadFile, Export, Used
from tests.reviews.rows import add_pair

PLAIN = "day,model,input_tokens,output_tokens,cost_usd\n"
ANTHROPIC = (
    "usage_date_utc,model_version,api_key,workspace,usage_type,context_window,"
    "usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,"
    "usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens\n"
)
OPENAI = "start_time,end_time,start_time_iso,num_model_requests,model,input_tokens,output_tokens\n"
OPENAI_COST = "start_time,end_time,amount_value,amount_currency,line_item\n"
DAY = date(2026, 11, 1)


def parse(text):
    return reconciling.parse(text.encode())


def test_the_three_kinds_are_told_apart_by_their_columns():
    rows = "2026-11-01,m,k,w,standard,200k,1,2,3,4,5\n" * 2
    assert parse(ANTHROPIC + rows) == Export("anthropic", {(DAY, "m"): Used(20, 10)})
    rows = "1793491200,1793577600,,3,m,7,8\n1793491200,1793577600,,0,,,\n"
    assert parse(OPENAI + rows) == Export("openai", {(DAY, "m"): Used(7, 8)})
    rows = "2026-11-01,m,7,8,0.5\n2026-11-01,m,1,1,0.25\n2026-11-01,n,1,1,\n"
    assert parse("\ufeff" + PLAIN + rows).used == {
        (DAY, "m"): Used(8, 9, Decimal("0.75")), (DAY, "n"): Used(1, 1),
    }  # fmt: skip


def test_older_and_newer_usage_exports_of_anthropic_are_read():
    head = "usage_date_utc,model_version,usage_input_tokens_no_cache,"
    older = "usage_input_tokens_cache_write,usage_input_tokens_cache_read,usage_output_tokens\n"
    assert parse(f"{head}{older}2026-11-01,m,1,2,3,4\n").used == {(DAY, "m"): Used(6, 4)}
    newer = ANTHROPIC[:-1] + ",web_search_count,inference_geo,speed\n"
    row = "2026-11-01,m,k,w,standard,≤ 200k,1,2,3,4,5,0,global,\n"
    assert parse(newer + row).used == {(DAY, "m"): Used(10, 5)}


def test_cost_exports_are_compared_by_plain_names():
    head = (
        "usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,"
        "list_price_usd,cost_type,inference_geo,speed\n"
    )
    kinds = (("input_no_cache", "0.05"), ("output", "0.25"))
    rows = [
        f"2026-11-01,Claude Haiku 4.5,w,k,message,≤ 200k,{kind},{usd},{usd},token,global,\n"
        for kind, usd in kinds
    ]
    found = parse(head + "".join(rows) + "2026-11-01,,w,k,web_search,,,1.00,1.00,search,,\n")
    assert found.used == {(DAY, "claude-haiku-4-5"): Used(cost_usd=Decimal("0.30"))}
    ours = {(DAY, "claude-haiku-4-5-20251001"): Used(9, 9, Decimal("0.30"))}
    (line,) = reconciling.compare(found, ours)
    assert (line.theirs, line.ours) == (Used(cost_usd=Decimal("0.30")), Used(9, 9, Decimal("0.30")))
    assert line.as_json()["theirs"] == {
        "input_tokens": None, "output_tokens": None, "cost_usd": "0.3",
    }  # fmt: skip


def test_openais_cost_export_is_read_by_line_item():
    rows = (
        "1793491200,1793577600,,,\n"
        '1793491200,1793577600,0.5,usd,"gpt-5-nano-2025-08-07, input"\n'
        '1793491200,1793577600,0.25,usd,"gpt-5-nano-2025-08-07, output"\n'
    )
    assert parse(OPENAI_COST + rows) == Export(
        "openai", {(DAY, "gpt-5-nano"): Used(cost_usd=Decimal("0.75"))}, is_plain=True
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "columns"),
        ("a,b\n1,2\n", "columns are of no export that is known: a, b. Expected of Anthropic"),
        (
            "usage_date_utc,model,token_type\n",
            "nearest to Anthropic's cost export, and lacks cost_usd",
        ),
        (OPENAI_COST + "1793491200,1793577600,0.5,usd,\n", "Line 2 is of no model: .* line item"),
        (OPENAI_COST + "1793491200,1793577600,0.5,eur,m\n", "Line 2: amount_currency"),
        (PLAIN, "no line with a model"),
        (PLAIN + "yesterday,m,1,1,1\n", "Line 2: day cannot be 'yesterday'"),
        (PLAIN + "1026-01-01,m,1,1,1\n", "Line 2: day"),
        (PLAIN + "2026-11-01,m,1,1,1\n2026-11-01,m,-1,1,1\n", "Line 3: input_tokens"),
        (PLAIN + "2026-11-01,m,1,1.5,1\n", "Line 2: output_tokens cannot be '1.5'"),
        (PLAIN + "2026-11-01,m,1,1,NaN\n", "Line 2: cost_usd cannot be 'NaN'"),
        (PLAIN + "2026-11-01,m,1\n", "Line 2 has another number of columns"),
        (PLAIN + "2026-11-01,m,1,1,1,1\n", "Line 2 has another number of columns"),
        (PLAIN + '2026-11-01,"m,1,1,1\n', "no CSV"),
        (PLAIN + "2020-02-01,m,1,1,1\n2026-11-01,m,1,1,1\n", "split it"),
        (OPENAI + "99999999999999999999,,,1,m,1,1\n", "Line 2: start_time"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(text, says):
    with pytest.raises(BadFile, match=says):
        parse(text)


def test_bytes_that_are_no_text_and_too_many_are_refused(monkeypatch):
    with pytest.raises(BadFile, match="UTF-8"):
        reconciling.parse(b"\xff\xfe")
    with pytest.raises(BadFile, match="20 MB"):
        reconciling.parse(b" " * 20_000_001)


def test_each_side_alone_and_both_are_lines():
    theirs = Export("", {(DAY, "a"): Used(1, 1), (DAY, "b"): Used(2, 2)})
    lines = reconciling.compare(theirs, {(DAY, "b"): Used(2, 3), (DAY, "c"): Used(4, 4)})
    assert [(one.model, one.theirs, one.ours) for one in lines] == [
        ("a", Used(1, 1), None), ("b", Used(2, 2), Used(2, 3)), ("c", None, Used(4, 4)),
    ]  # fmt: skip


@pytest.mark.django_db
def test_a_file_is_compared_with_the_days_it_speaks_of(project, demo):
    cache.clear()
    add_pair(project, 0.2)
    add_pair(demo, 0.2)
    today = timezone.now().date()
    content = f"{PLAIN}{today},m,6,5,0.06\n".encode()
    row = reconciling.write(content, "bill.csv", project, None)
    assert row.lines == [
        {"day": today.isoformat(), "model": "m",
         "theirs": {"input_tokens": 6, "output_tokens": 5, "cost_usd": "0.06"},
         "ours": {"input_tokens": 6, "output_tokens": 4, "cost_usd": "0.06"}},
    ]  # fmt: skip
    assert reconciling.write(content, "bill.csv", None, None).lines[0]["ours"]["input_tokens"] == 12
    assert Reconciliation.objects.count() == 2
    assert reconciling.stored(today, today, "openai", project) == {}
