"""`project-keep` and `project-reorder`, said as a plain `project` of the columns that they mean.

Names may have wildcards. `project-reorder` with asc, desc or granny order is refused.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from localcloud.monitor.kql_errors import semantic, unsupported
from localcloud.monitor.kql_stages import Stage, Workshop, operator_name
from localcloud.monitor.kql_text import code, split


def stage(operator: list[str], _: bool) -> Stage | None:
    """The stage of one of the two operators; None for another one."""
    name = operator_name(operator)
    if name not in ("project-keep", "project-reorder"):
        return None
    words = code(operator)[3:]
    patterns = ["".join(part) for part in split(words, ",")]
    if any(word in ("asc", "desc") or word.startswith("granny") for word in words):
        raise unsupported(f"{name} with an order of names")
    return lambda work, left: _run(work, left, name, patterns)


def _run(work: Workshop, left: str, name: str, patterns: list[str]) -> str:
    table = work.keep(left)
    columns = list(work.columns(table))
    first: list[str] = []
    for pattern in patterns:
        named = [column for column in columns if fnmatchcase(column, pattern)]
        if not named and "*" not in pattern:
            raise semantic(f"'{name}' operator: Failed to resolve column named '{pattern}'")
        first += [column for column in named if column not in first]
    if name == "project-keep":
        wanted = [column for column in columns if column in first]
    else:
        wanted = first + [column for column in columns if column not in first]
    return f"{table} | project {', '.join(wanted)}"
