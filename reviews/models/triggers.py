"""Who trains and who calibrates: kept apart by Postgres, whoever writes."""

import pgtrigger


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
    """Return the trigger that refuses to calibrate a router on a pair that it was trained on."""
    return pgtrigger.Trigger(
        name="never_trained",
        operation=pgtrigger.Insert,
        when=pgtrigger.Before,
        condition=pgtrigger.Condition("NEW.selected AND NEW.purpose = 'calibrate'"),
        func="IF EXISTS (SELECT FROM reviews_trainingexample AS example"
        " JOIN reviews_trainingrun AS run ON run.id = example.run_id"
        " JOIN reviews_study AS study ON study.router_id = run.router_id"
        " WHERE example.pair_id = NEW.pair_id AND study.id = NEW.study_id) THEN RAISE EXCEPTION"
        " 'Pair % trained the router of this study: it never calibrates it.', NEW.pair_id; END IF;"
        " RETURN NEW;",
    )
