from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Requests are many: nobody who writes one waits for this.
    atomic = False

    dependencies = [("routing", "0013_living")]

    operations = [
        AddIndexConcurrently(
            model_name='request',
            index=models.Index(condition=models.Q(('end_user', ''), _negated=True), fields=['project', 'end_user'], name='request_end_user'),
        ),
    ]
