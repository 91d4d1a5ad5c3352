"""Databases that got these columns before their defaults stayed get the defaults now."""

from django.db import migrations

from routing.models.access import every_scope

_DEFAULTS = {
    "routing_request": {"headers": "'{}'", "url_query": "''", "session": "''", "is_stream": "false"},
    "routing_completion": {
        "cache_write_tokens": "0", "cache_write_1h_tokens": "0", "cache_read_tokens": "0",
        "is_partial": "false",
    },
    "routing_apikey": {"scopes": "'[%s]'" % ", ".join(f'"{scope}"' for scope in every_scope())},
}


def _statement(table, defaults):
    changes = (f"ALTER COLUMN {column} SET DEFAULT {value}" for column, value in defaults.items())
    return f"ALTER TABLE {table} {', '.join(changes)}"


class Migration(migrations.Migration):
    dependencies = [("routing", "0015_completion_created")]

    operations = [
        migrations.RunSQL(_statement(*of_a_table), migrations.RunSQL.noop)
        for of_a_table in _DEFAULTS.items()
    ]
