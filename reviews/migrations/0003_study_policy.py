"""A study names the policy whose router and models it is about."""

import django.db.models.deletion
from django.db import migrations, models


def fill(apps, schema_editor):
    """Give each study the first policy of its project with its router."""
    Study = apps.get_model("reviews", "Study")
    Policy = apps.get_model("routing", "Policy")
    for study in Study.objects.filter(policy=None):
        mine = Policy.objects.filter(project=study.project_id, router=study.router_id)
        study.policy = mine.earliest("number")
        study.save(update_fields=["policy"])


def _policy(**options):
    return models.ForeignKey(
        help_text="The live policy at its start: its router and models are what is studied",
        on_delete=django.db.models.deletion.CASCADE,
        related_name="studies",
        to="routing.policy",
        **options,
    )


class Migration(migrations.Migration):
    dependencies = [
        ("reviews", "0002_blind_and_signoff_guards"),
        ("routing", "0002_headers_and_protected_people"),
    ]

    operations = [
        migrations.AddField("study", "policy", _policy(null=True)),
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", migrations.RunSQL.noop),
        migrations.AlterField("study", "policy", _policy()),
    ]
