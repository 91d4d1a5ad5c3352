from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Judges' calls are many: no judge waits for this.
    atomic = False

    dependencies = [("reviews", "0021_default_stays")]

    operations = [
        AddIndexConcurrently(
            model_name='judgecall',
            index=models.Index(condition=models.Q(('state__in', ['done', 'failed'])), fields=['finished_at'], name='judge_finished'),
        ),
    ]
