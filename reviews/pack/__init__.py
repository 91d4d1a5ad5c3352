"""The decision pack of a sign-off: one file that can be checked without this service.

`writing` makes it, `checking` says what is wrong with one, `recompute` goes along inside.
"""

from reviews.pack.checking import check, remarks
from reviews.pack.writing import write

__all__ = ["check", "remarks", "write"]
