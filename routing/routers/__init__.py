"""Routers: query to score in [0, 1]. They know no threshold, price or database."""
