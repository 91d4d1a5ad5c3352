"""Counts of stored rows, kept by triggers and filled from the rows there are."""

import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


_FILL = """
INSERT INTO routing_storedcount (project_id, subject, name, detail, shard, n)
SELECT project_id, 'request', tier, reason, 0, count(*)
FROM routing_decision JOIN routing_policy AS policy ON policy.id = policy_id GROUP BY 1, 3, 4
UNION ALL
SELECT project_id, 'job', state, left(split_part(reason, ':', 1), 40), 0, count(*)
FROM routing_shadowjob GROUP BY 1, 3, 4
UNION ALL
SELECT project_id, 'pair', '', '', 0, count(*) FROM routing_shadowpair GROUP BY 1
"""

# A few rows are updated with every write: room beside them, and a vacuum that comes early.
_SETTLE = """
ALTER TABLE routing_storedcount SET (
    fillfactor = 30, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000
)
"""


class Migration(migrations.Migration):

    dependencies = [
        ('routing', '0004_shadow_lanes_and_caps'),
    ]

    operations = [
        migrations.CreateModel(
            name='StoredCount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('project_id', models.BigIntegerField()),
                ('subject', models.CharField(choices=[('request', 'Requests decided'), ('job', 'Shadow jobs'), ('pair', 'Pairs')], max_length=10)),
                ('name', models.CharField(blank=True, max_length=10)),
                ('detail', models.CharField(blank=True, max_length=40)),
                ('shard', models.SmallIntegerField()),
                ('n', models.BigIntegerField()),
            ],
        ),
        migrations.RemoveIndex(
            model_name='shadowjob',
            name='shadow_counts',
        ),
        migrations.AddIndex(
            model_name='shadowjob',
            index=models.Index(condition=models.Q(('state', 'pending')), fields=['project', 'not_before'], name='shadow_waiting'),
        ),
        migrations.AddIndex(
            model_name='shadowjob',
            index=models.Index(condition=models.Q(('state', 'failed'), models.Q(('state', 'skipped'), models.Q(('reason__startswith', 'bypassed'), ('reason__startswith', 'forced'), ('reason__startswith', 'sticky'), ('reason__startswith', 'not_sampled'), ('reason__startswith', 'overload'), _connector='OR', _negated=True)), _connector='OR'), fields=['project', 'created_at'], name='shadow_lost'),
        ),
        migrations.AddIndex(
            model_name='shadowpair',
            index=models.Index(fields=['project', 'task', '-id'], name='pair_task'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='decision',
            trigger=pgtrigger.compiler.Trigger(name='count_insert', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE mine smallint := 0;', func="\n-- A shard that no other open transaction uses: writers never wait for each other, nor deadlock.\nWHILE NOT pg_try_advisory_xact_lock(24138, mine) LOOP\n    mine := (mine + 1) % 512;\nEND LOOP;\nINSERT INTO routing_storedcount AS counted (project_id, subject, name, detail, shard, n)\nSELECT project_id, 'request', name, detail, mine, sum(change) FROM (SELECT p.project_id, r.tier AS name, r.reason AS detail, +1 AS change FROM new_rows AS r JOIN routing_policy AS p ON p.id = r.policy_id) AS changes\nGROUP BY project_id, name, detail HAVING sum(change) <> 0\nON CONFLICT (project_id, subject, name, detail, shard) DO UPDATE SET n = counted.n + excluded.n;\nRETURN NULL;\n", hash='e25d01621a7c385cc9fee55397774693fd995210', level='STATEMENT', operation='INSERT', pgid='pgtrigger_count_insert_3ffab', referencing='REFERENCING NEW TABLE AS new_rows ', table='routing_decision', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='decision',
            trigger=pgtrigger.compiler.Trigger(name='count_delete', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE mine smallint := 0;', func="\n-- A shard that no other open transaction uses: writers never wait for each other, nor deadlock.\nWHILE NOT pg_try_advisory_xact_lock(24138, mine) LOOP\n    mine := (mine + 1) % 512;\nEND LOOP;\nINSERT INTO routing_storedcount AS counted (project_id, subject, name, detail, shard, n)\nSELECT project_id, 'request', name, detail, mine, sum(change) FROM (SELECT p.project_id, r.tier AS name, r.reason AS detail, -1 AS change FROM old_rows AS r JOIN routing_policy AS p ON p.id = r.policy_id) AS changes\nGROUP BY project_id, name, detail HAVING sum(change) <> 0\nON CONFLICT (project_id, subject, name, detail, shard) DO UPDATE SET n = counted.n + excluded.n;\nRETURN NULL;\n", hash='253c6f0adec2a70ee312b9b9c0772459cf584e5c', level='STATEMENT', operation='DELETE', pgid='pgtrigger_count_delete_45702', referencing='REFERENCING OLD TABLE AS old_rows ', table='routing_decision', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='project',
            trigger=pgtrigger.compiler.Trigger(name='uncount', sql=pgtrigger.compiler.UpsertTriggerSql(func='\n            DELETE FROM routing_storedcount WHERE project_id IN (SELECT id FROM old_rows);\n            RETURN NULL;\n        ', hash='1f706f1258966d580044b5bf8fa285780823c6d8', level='STATEMENT', operation='DELETE', pgid='pgtrigger_uncount_80425', referencing='REFERENCING OLD TABLE AS old_rows ', table='routing_project', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='shadowjob',
            trigger=pgtrigger.compiler.Trigger(name='count_insert', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE mine smallint := 0;', func="\n-- A shard that no other open transaction uses: writers never wait for each other, nor deadlock.\nWHILE NOT pg_try_advisory_xact_lock(24138, mine) LOOP\n    mine := (mine + 1) % 512;\nEND LOOP;\nINSERT INTO routing_storedcount AS counted (project_id, subject, name, detail, shard, n)\nSELECT project_id, 'job', name, detail, mine, sum(change) FROM (SELECT r.project_id, r.state AS name, left(split_part(reason, ':', 1), 40) AS detail, +1 AS change FROM new_rows AS r ) AS changes\nGROUP BY project_id, name, detail HAVING sum(change) <> 0\nON CONFLICT (project_id, subject, name, detail, shard) DO UPDATE SET n = counted.n + excluded.n;\nRETURN NULL;\n", hash='b63a00fdc2c6feb88e1f99b44c2d315fb6e7ea55', level='STATEMENT', operation='INSERT', pgid='pgtrigger_count_insert_90c1b', referencing='REFERENCING NEW TABLE AS new_rows ', table='routing_shadowjob', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='shadowjob',
            trigger=pgtrigger.compiler.Trigger(name='count_delete', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE mine smallint := 0;', func="\n-- A shard that no other open transaction uses: writers never wait for each other, nor deadlock.\nWHILE NOT pg_try_advisory_xact_lock(24138, mine) LOOP\n    mine := (mine + 1) % 512;\nEND LOOP;\nINSERT INTO routing_storedcount AS counted (project_id, subject, name, detail, shard, n)\nSELECT project_id, 'job', name, detail, mine, sum(change) FROM (SELECT r.project_id, r.state AS name, left(split_part(reason, ':', 1), 40) AS detail, -1 AS change FROM old_rows AS r ) AS changes\nGROUP BY project_id, name, detail HAVING sum(change) <> 0\nON CONFLICT (project_id, subject, name, detail, shard) DO UPDATE SET n = counted.n + excluded.n;\nRETURN NULL;\n", hash='b9770560983fd43cbd998e687733da3d2f3d17af', level='STATEMENT', operation='DELETE', pgid='pgtrigger_count_delete_ff91e', referencing='REFERENCING OLD TABLE AS old_rows ', table='routing_shadowjob', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='shadowjob',
            trigger=pgtrigger.compiler.Trigger(name='count_update', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE mine smallint := 0;', func="\n-- A shard that no other open transaction uses: writers never wait for each other, nor deadlock.\nWHILE NOT pg_try_advisory_xact_lock(24138, mine) LOOP\n    mine := (mine + 1) % 512;\nEND LOOP;\nINSERT INTO routing_storedcount AS counted (project_id, subject, name, detail, shard, n)\nSELECT project_id, 'job', name, detail, mine, sum(change) FROM (SELECT r.project_id, r.state AS name, left(split_part(reason, ':', 1), 40) AS detail, +1 AS change FROM new_rows AS r  UNION ALL SELECT r.project_id, r.state AS name, left(split_part(reason, ':', 1), 40) AS detail, -1 AS change FROM old_rows AS r ) AS changes\nGROUP BY project_id, name, detail HAVING sum(change) <> 0\nON CONFLICT (project_id, subject, name, detail, shard) DO UPDATE SET n = counted.n + excluded.n;\nRETURN NULL;\n", hash='d505007bb890f373cdbe90326dbf3bb56a690ed2', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_count_update_7a85e', referencing='REFERENCING OLD TABLE AS old_rows  NEW TABLE AS new_rows ', table='routing_shadowjob', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='shadowpair',
            trigger=pgtrigger.compiler.Trigger(name='count_insert', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE mine smallint := 0;', func="\n-- A shard that no other open transaction uses: writers never wait for each other, nor deadlock.\nWHILE NOT pg_try_advisory_xact_lock(24138, mine) LOOP\n    mine := (mine + 1) % 512;\nEND LOOP;\nINSERT INTO routing_storedcount AS counted (project_id, subject, name, detail, shard, n)\nSELECT project_id, 'pair', name, detail, mine, sum(change) FROM (SELECT r.project_id, '' AS name, '' AS detail, +1 AS change FROM new_rows AS r ) AS changes\nGROUP BY project_id, name, detail HAVING sum(change) <> 0\nON CONFLICT (project_id, subject, name, detail, shard) DO UPDATE SET n = counted.n + excluded.n;\nRETURN NULL;\n", hash='7fc4d753a5f52fef360b9e3a347d722f0b4cd408', level='STATEMENT', operation='INSERT', pgid='pgtrigger_count_insert_405ea', referencing='REFERENCING NEW TABLE AS new_rows ', table='routing_shadowpair', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='shadowpair',
            trigger=pgtrigger.compiler.Trigger(name='count_delete', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE mine smallint := 0;', func="\n-- A shard that no other open transaction uses: writers never wait for each other, nor deadlock.\nWHILE NOT pg_try_advisory_xact_lock(24138, mine) LOOP\n    mine := (mine + 1) % 512;\nEND LOOP;\nINSERT INTO routing_storedcount AS counted (project_id, subject, name, detail, shard, n)\nSELECT project_id, 'pair', name, detail, mine, sum(change) FROM (SELECT r.project_id, '' AS name, '' AS detail, -1 AS change FROM old_rows AS r ) AS changes\nGROUP BY project_id, name, detail HAVING sum(change) <> 0\nON CONFLICT (project_id, subject, name, detail, shard) DO UPDATE SET n = counted.n + excluded.n;\nRETURN NULL;\n", hash='0b88528f720195b7ad492d48e347ded3ae315687', level='STATEMENT', operation='DELETE', pgid='pgtrigger_count_delete_dde76', referencing='REFERENCING OLD TABLE AS old_rows ', table='routing_shadowpair', when='AFTER')),
        ),
        migrations.AddConstraint(
            model_name='storedcount',
            constraint=models.UniqueConstraint(fields=('project_id', 'subject', 'name', 'detail', 'shard'), name='counted_once'),
        ),
        migrations.RunSQL(_SETTLE, migrations.RunSQL.noop),
        # The new triggers hold off writers until this transaction ends: nothing slips between.
        migrations.RunSQL(_FILL, migrations.RunSQL.noop),
    ]
