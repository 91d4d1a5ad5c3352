"""Arrays in, numbers with their uncertainty out: numpy and scipy only, no Django, no rows."""
