"""Addresses of the pages."""

from django.urls import path

from reviews.views import overview, policies, rating, signoff, threshold

urlpatterns = [
    path("", overview.home, name="home"),
    path("overview/", overview.overview, name="overview"),
    path("demo/", overview.demo, name="demo"),
    path("pairs/", overview.pairs, name="pairs"),
    path("pairs/<int:pk>/", overview.pair, name="pair"),
    path("rate/", rating.rate, name="rate"),
    path("rate/next/", rating.following, name="rate_next"),
    path("rate/guidelines/", rating.read, name="rate_read"),
    path("rate/mine/", rating.mine, name="rate_mine"),
    path("rate/<uuid:token>/", rating.submit, name="rate_submit"),
    path("rate/<uuid:token>/again/", rating.again, name="rate_again"),
    path("rate/<uuid:token>/after/", rating.after, name="rate_after"),
    path("rate/<uuid:token>/skip/", rating.skip, name="rate_skip"),
    path("rate/<uuid:token>/renew/", rating.renew, name="rate_renew"),
    path("rate/<uuid:token>/origin/", rating.origin, name="rate_origin"),
    path("rate/<uuid:token>/differences/", rating.differences, name="rate_differences"),
    path("threshold/", threshold.threshold, name="threshold"),
    path("studies/", threshold.start_study, name="start_study"),
    path("signoffs/", signoff.signoffs, name="signoffs"),
    path("signoffs/<int:pk>/", signoff.detail, name="signoff"),
    path("signoffs/<int:pk>/decide/", signoff.decide, name="signoff_decide"),
    path("signoffs/<int:pk>/withdraw/", signoff.withdraw, name="signoff_withdraw"),
    path("policies/", policies.policies, name="policies"),
    path("policies/roll-back/", policies.roll_back, name="roll_back"),
    path("settings/", policies.settings, name="settings"),
    path("settings/shadow/", policies.cap_shadow, name="cap_shadow"),
    path("settings/keys/", policies.create_key, name="create_key"),
    path("settings/keys/<int:pk>/revoke/", policies.revoke_key, name="revoke_key"),
    path("settings/projects/", policies.create_project, name="create_project"),
    path("settings/projects/delete/", policies.delete_project, name="delete_project"),
    path("settings/people/", policies.create_person, name="create_person"),
]
