"""Packages that offer routers, as pip leaves them behind: a module, and its metadata beside it."""

import textwrap

#: What each test writes after this is the module's code; `score` may use it all.
_HEAD = """
import math, time
from routing.routers.kinds import Kind
from routing.types import Score

class Base:
    is_instant = False
    def recall(self, query):
        return None

def kind(name, router):
    return Kind(name, name, "what", "when", "cost", lambda artifact, embedder: router)
"""


def install(folder, module, code, **points):
    """Write a package that offers `points`: entry point's name to the attribute in the module."""
    (folder / f"{module}.py").write_text(_HEAD + textwrap.dedent(code))
    metadata = folder / f"{module}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    lines = [f"{name.replace('_', '-')} = {module}:{value}" for name, value in points.items()]
    text = "\n".join(["[shadoweval.routers]", *lines, ""])
    (metadata / "entry_points.txt").write_text(text)
