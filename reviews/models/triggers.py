"""Who trains and who calibrates: kept apart by Postgres, whoever writes."""

import pgtrigger

#: The versions that a version is made of, itself among them: one that was wrapped, one whose rules
#: were edited. Names never change, nor do cards. Takes what the version's number is.
MADE_OF = """
WITH RECURSIVE made_of(id) AS (
    SELECT {version}::bigint
    UNION SELECT base.id FROM made_of
    JOIN routing_routerversion AS made ON made.id = made_of.id
    JOIN routing_routerversion AS base
        ON base.name IN (made.card ->> 'rules_of', made.card ->> 'inner')
)
"""
_SUBJECT = "(SELECT router_id FROM reviews_study WHERE id = NEW.study_id)"


def calibration_pairs_never_train() -> pgtrigger.Trigger:
    """Return the trigger that refuses a training example whose pair was drawn to calibrate."""
    return pgtrigger.Trigger(
        name="never_calibrates",
        operation=pgtrigger.Insert,
        when=pgtrigger.Before,
        func="IF EXISTS (SELECT FROM reviews_sampledpair WHERE pair_id = NEW.pair_id AND selected"
        " AND purpose = 'calibrate') THEN RAISE EXCEPTION"
        " 'Pair % was drawn to calibrate: it never trains.', NEW.pair_id; END IF; RETURN NEW;",
    )


def training_pairs_never_calibrate() -> pgtrigger.Trigger:
    """Return the trigger that refuses to calibrate a router on a pair that it was trained on.

    Nor on one that trained a version that it is made of.
    """
    return pgtrigger.Trigger(
        name="never_trained",
        operation=pgtrigger.Insert,
        when=pgtrigger.Before,
        condition=pgtrigger.Condition("NEW.selected AND NEW.purpose = 'calibrate'"),
        func=f"IF EXISTS ({MADE_OF.format(version=_SUBJECT)}"
        " SELECT FROM reviews_trainingexample AS example"
        " JOIN reviews_trainingrun AS run ON run.id = example.run_id"
        " JOIN made_of ON made_of.id = run.router_id"
        " WHERE example.pair_id = NEW.pair_id) THEN RAISE EXCEPTION"
        " 'Pair % trained the router of this study: it never calibrates it.', NEW.pair_id; END IF;"
        " RETURN NEW;",
    )
