"""How pages are looked at: each colour scheme and each width once, not each with each."""

import pytest

LOOKS = pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
