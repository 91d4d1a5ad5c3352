"""Databases that got this column before its default stayed get the default now."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("reviews", "0020_living")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE reviews_rater ALTER COLUMN pause_reason SET DEFAULT ''",
            migrations.RunSQL.noop,
        ),
    ]
