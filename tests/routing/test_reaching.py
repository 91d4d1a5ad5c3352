"""Whoever names an address has the server ask a public one, or one that is allowed."""

import pytest

from routing import reaching


@pytest.mark.parametrize(
    ("host", "private", "may"),
    [
        ("1.1.1.1", False, True),
        ("127.0.0.1", False, False),
        ("127.0.0.1", True, True),
        ("10.1.2.3", False, False),
        ("10.1.2.3", True, True),
        ("2130706433", False, False),  # 127.0.0.1 as one number
        ("0x7f.1", False, False),
        ("0.0.0.0", False, False),
        ("::1", False, False),
        ("::ffff:10.0.0.1", False, False),
        ("64:ff9b::a00:1", False, False),
        ("2002:a00:1::", False, False),
        ("100.64.0.1", False, False),
        ("169.254.169.254", True, False),
        ("::ffff:169.254.169.254", True, False),
        ("64:ff9b::a9fe:a9fe", True, False),
        ("fd00:ec2::254", True, False),
        ("fe80::1", True, False),
    ],
)
def test_which_addresses_are_asked(host, private, may):
    try:
        reaching.resolve(host, 443, private=private)
    except reaching.Forbidden:
        assert not may
    else:
        assert may


def test_an_address_is_checked_whole_and_a_name_that_is_none_yet_passes():
    with pytest.raises(reaching.Forbidden):
        reaching.check_url("http://[::ffff:169.254.169.254]:8080/latest", private=True)
    reaching.check_url("https://nowhere.invalid/v1", private=False)
