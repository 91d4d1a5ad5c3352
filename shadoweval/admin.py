"""The admin shows what is used: single sign-on is set up by the environment, not by rows.

Who may do what is changed on the People page alone, which leaves a trace; nobody is renamed.
"""

import django.contrib.auth.admin  # noqa: F401  # registers two of them, later than this otherwise
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialApp, SocialToken
from django.contrib import admin
from django.contrib.auth.models import Group, User

for model in (EmailAddress, Group, SocialApp, SocialToken, User):
    admin.site.unregister(model)
