"""Mail to people: plain text, through the server that the environment names."""

from __future__ import annotations

import logging
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage
from django.urls import reverse

from reviews.errors import NotSent

log = logging.getLogger(__name__)


def is_on() -> bool:
    """Return whether mail is sent at all."""
    return bool(settings.SHADOWEVAL_MAIL)


def link(name: str, *args: str) -> str:
    """Return a page's address as people outside this process need it."""
    return f"{settings.PUBLIC_URL}{reverse(name, args=args)}"


def send(address: str, subject: str, text: str) -> None:
    """Hand one mail to the server; call it outside a transaction, it may take seconds.

    Raises:
        NotSent: when mail is off, or the server cannot be reached or refuses.
    """
    if not is_on():
        raise NotSent("Mail is off: this server has no SHADOWEVAL_EMAIL_URL.")
    headers = {"Auto-Submitted": "auto-generated"}
    try:
        EmailMessage(subject, text, to=[address], headers=headers).send()
    except (OSError, SMTPException) as exc:
        log.warning("a mail was not sent: %s", type(exc).__name__)
        raise NotSent(f"The mail to {address} was not sent; the log says why.") from exc
    except ValueError as exc:  # Django's word for an address or a subject that no mail can have
        log.warning("a mail was not sent: %s", type(exc).__name__)
        raise NotSent("The mail was not sent: its address or subject cannot be one.") from exc
