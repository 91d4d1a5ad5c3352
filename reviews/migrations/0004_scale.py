"""Each study remembers how far it has looked, and estimates find what is new by an index."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('reviews', '0003_study_policy'),
        ('routing', '0003_clients'),
    ]

    operations = [
        migrations.AddField(
            model_name='study',
            name='looked_to',
            field=models.BigIntegerField(default=0, help_text='The last pair that was looked at, whether it belongs here or not'),
        ),
        migrations.AddIndex(
            model_name='sampledpair',
            index=models.Index(fields=['study', 'id'], name='draw_order'),
        ),
        migrations.AddIndex(
            model_name='verdict',
            index=models.Index(fields=['study', '-id'], name='verdict_last'),
        ),
    ]
