from django.contrib.postgres.indexes import BrinIndex
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations


class Migration(migrations.Migration):
    # Completions are many: nobody who writes one waits for this.
    atomic = False

    dependencies = [("routing", "0014_end_user_index")]

    operations = [
        AddIndexConcurrently(
            model_name="completion",
            index=BrinIndex(fields=["created_at"], name="completion_created", autosummarize=True),
        ),
    ]
