"""Which task runs when, and in which queue."""

from datetime import timedelta

BEAT = {
    name: {
        "task": task,
        "schedule": timedelta(seconds=every_s),
        "options": {"expires": every_s},  # while all hands are busy, messages must not pile up
    }
    for name, task, every_s in (
        ("shadow", "routing.tasks.run_shadow_jobs", 5),
        ("shadow-recover", "routing.tasks.recover_shadow_jobs", 30),
        ("samples", "reviews.tasks.extend_samples", 30),
        ("closing", "reviews.tasks.close_studies", 60),
        ("judge-pairs", "reviews.tasks.extend_judges", 30),
        ("judge", "reviews.tasks.run_judge_calls", 10),
        ("judge-batches", "reviews.tasks.run_judge_batches", 60),
        ("judge-recover", "reviews.tasks.recover_judge_calls", 60),
        ("challengers", "routing.tasks.run_challengers", 5),
        ("usage", "routing.tasks.roll_usage_up", 300),
        ("retention", "routing.tasks.delete_old_requests", 600),
        ("reminders", "reviews.tasks.remind_raters", 3600),
        ("rollouts", "reviews.tasks.run_rollouts", 5),
        ("expiry", "reviews.tasks.expire_signoffs", 600),
        ("monitors", "reviews.tasks.run_monitors", 3600),
        ("quarters", "reviews.tasks.review_quarters", 3600),
        ("notices", "reviews.tasks.send_notices", 10),
        ("trainings", "reviews.tasks.run_trainings", 5),
        ("uploads", "routing.tasks.run_uploads", 3),
        ("indexes", "routing.tasks.build_indexes", 3),
    )
}
# Trainings compute for minutes: a worker of their own takes them, and no shadow call waits.
TRAINING_QUEUE = "training"
#: So does indexing.
INDEXING_QUEUE = "indexing"
#: And judges, whose provider may be slow for minutes.
JUDGING_QUEUE = "judging"
ROUTES = {
    "reviews.tasks.run_trainings": {"queue": TRAINING_QUEUE},
    "reviews.tasks.run_monitors": {"queue": TRAINING_QUEUE},
    "reviews.tasks.run_judge_calls": {"queue": JUDGING_QUEUE},
    "reviews.tasks.run_judge_batches": {"queue": JUDGING_QUEUE},
    "routing.tasks.run_uploads": {"queue": INDEXING_QUEUE},
    "routing.tasks.build_indexes": {"queue": INDEXING_QUEUE},
}
