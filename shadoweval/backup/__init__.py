"""One file with everything that cannot be made again: the database and the journal.

Indexes, models and static files are made again, Redis holds nothing that Postgres does not, and
secrets stay where they are kept. `archive` knows the file, `journals` the folder, `dumps` Postgres'
own programs, `programs` where these are, `whole` the order of it all.
"""
