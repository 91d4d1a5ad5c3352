"""What was rated goes out, and what was rated elsewhere comes in."""
