"""The admin shows what is used: single sign-on is set up by the environment, not by rows."""

from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialApp, SocialToken
from django.contrib import admin

for model in (EmailAddress, SocialApp, SocialToken):
    admin.site.unregister(model)
