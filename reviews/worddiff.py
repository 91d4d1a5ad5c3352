"""tmp"""

from django.utils.html import escape


def fragments(a, b):
    return escape(a), escape(b)
