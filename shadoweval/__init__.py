"""Wire routing and reviews into one Django project."""
