"""Judges' calls as usage: counted in the hour in which they ended, by the pair's task type."""

from routing import usage

CALLS = usage.Source(
    changed="""
SELECT DISTINCT study.project_id, date_trunc('hour', call.finished_at, 'UTC')
FROM reviews_judgecall AS call
JOIN reviews_judgespec AS spec ON spec.id = call.spec_id
JOIN reviews_study AS study ON study.id = spec.study_id
WHERE call.finished_at >= %(since)s AND call.state IN ('done', 'failed')
""",
    calls=f"""calls ({", ".join(usage.CALL)}) AS (
    SELECT wanted.project_id, wanted.hour, 'judge', '', spec.provider, spec.model, pair.task,
        call.state = 'failed', false, false, call.input_tokens, call.output_tokens, 0, 0,
        call.cost_usd, call.state = 'done' AND call.cost_usd IS NULL,
        coalesce(call.input_tokens * (spec.price ->> 'input_usd')::numeric, 0),
        coalesce(call.output_tokens * (spec.price ->> 'output_usd')::numeric, 0), 0, NULL::float8
    FROM wanted
    JOIN reviews_study AS study ON study.project_id = wanted.project_id
    JOIN reviews_judgespec AS spec ON spec.study_id = study.id
    JOIN reviews_judgecall AS call ON call.spec_id = spec.id
        AND call.finished_at >= wanted.hour AND call.finished_at < wanted.hour + interval '1 hour'
        AND call.state IN ('done', 'failed')
    JOIN routing_shadowpair AS pair ON pair.id = call.pair_id
)""",  # noqa: S608 - put together from constants
)
