"""What people learn from many requests: sampling, blind rating, estimation, sign-off."""
