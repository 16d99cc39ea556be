"""`mv-apply`: a short query over the elements of one array of each row.

The subquery runs over the elements of all rows at once, with the row's number carried through: so only operators are
taken that can carry it (where, extend, project, summarize, top). Refused is what Kusto does not document or would need
another name for: a null in place of the array, an empty array under summarize, a result named like a column.
"""

from __future__ import annotations

from dataclasses import dataclass

from localcloud.monitor.kql_errors import unsupported
from localcloud.monitor.kql_stages import Stage, Workshop, operator_name, quote
from localcloud.monitor.kql_text import call_end, code, split

_ROW = "_row"
_OPERATORS = frozenset(["where", "filter", "extend", "project", "summarize", "top"])


@dataclass(frozen=True)
class MvApply:
    """The operator, cut into its parts; all of them KQL."""

    name: str
    array: str
    kind: str
    """`to typeof(long)` or nothing."""
    query: list[list[str]]

    @property
    def narrows(self) -> bool:
        """Whether the result has only the columns that the subquery names."""
        return any(operator_name(operator) in ("project", "summarize") for operator in self.query)

    @property
    def summarizes(self) -> bool:
        """Whether elements are counted together, of which there may be none."""
        return any(operator_name(operator) == "summarize" for operator in self.query)


def stage(operator: list[str], _: bool) -> Stage | None:
    """The stage of an mv-apply; None for another operator."""
    if operator_name(operator) != "mv-apply":
        return None
    call = _parse(operator)
    return lambda work, left: _run(work, left, call)


def _parse(operator: list[str]) -> MvApply:
    if "on" not in operator:
        raise unsupported("mv-apply without a subquery")
    cut = operator.index("on")
    head, body = operator[operator.index("apply") + 1 : cut], operator[cut + 1 :]
    opening = body.index("(") if "(" in body else len(body)
    if code(body[:opening]) or len(split(head, ",")) > 1 or code(head)[:1] in (["with_itemindex"], ["limit"]):
        raise unsupported("mv-apply of more than one array, or with an item's index")
    query = split(body[opening + 1 : call_end(body, opening)], "|")
    if unknown := [name for name in map(operator_name, query) if name not in _OPERATORS]:
        raise unsupported(f"{unknown[0] or 'nothing'} inside mv-apply")
    name, array, kind = _head(head)
    return MvApply(name, array, kind, query)


def _head(head: list[str]) -> tuple[str, str, str]:
    """`x = d.items to typeof(long)` as the name, the array and the type."""
    kind = ""
    if "to" in head:
        kind, head = "".join(head[head.index("to") :]).strip(), head[: head.index("to")]
    words = code(head)
    if words[1:2] == ["="]:
        return words[0], "".join(head[head.index("=") + 1 :]).strip(), kind
    if len(words) != 1:
        raise unsupported("mv-apply of an expression without a name")
    return words[0], words[0], kind


def _run(work: Workshop, left: str, call: MvApply) -> str:
    # The array is a column of its own, so that it can be looked at before it is expanded.
    source = work.keep(f"{left} | extend _array = todynamic({call.array})")
    _insist_on_arrays(work, source, call)
    own = [column for column in work.columns(source) if column not in (call.name, "_array")]
    rows = work.make(f"SELECT rowid AS {_ROW}, * FROM {quote(source)}")
    elements = f"{rows} | project-away {call.name}" if call.name in work.columns(source) else rows
    elements += f" | project-rename {call.name} = _array | mv-expand {call.name} {call.kind}"
    result = work.keep(" | ".join([elements, *(_carrying(operator) for operator in call.query)]))
    found = [column for column in work.columns(result) if column != _ROW]
    if call.narrows and (twice := set(found) & set(own)):
        raise unsupported(f"mv-apply with a result named like the column {sorted(twice)[0]}")
    if assigned := {name for operator in call.query for name in _assigned(operator)} & set(own):
        raise unsupported(f"mv-apply that assigns to the column {sorted(assigned)[0]}")
    fields = [f"s.{quote(column)}" for column in own]
    fields += [f"r.{quote(column)}" for column in found if column not in own]
    return work.make(
        f"SELECT {', '.join(fields)} FROM {quote(rows)} s JOIN {quote(result)} r USING ({_ROW}) "
        f"ORDER BY {_ROW}, r.rowid"
    )


def _insist_on_arrays(work: Workshop, source: str, call: MvApply) -> None:
    kinds = f"SELECT DISTINCT json_type(_array), coalesce(json_array_length(_array), 0) = 0 FROM {quote(source)}"
    for kind, empty in work.connection.execute(kinds).fetchall():
        if kind != "ARRAY":
            raise unsupported(f"mv-apply over {(kind or 'null').lower()} where an array is needed")
        if empty and call.summarizes:
            raise unsupported("mv-apply with summarize over an empty array")


def _carrying(operator: list[str]) -> str:
    """The operator with the row's number carried through."""
    name, words = operator_name(operator), code(operator)
    text = "".join(operator).strip()
    if name == "project":
        return text.replace("project", f"project {_ROW},", 1)
    if name == "summarize":
        return f"{text}, {_ROW}" if "by" in words else f"{text} by {_ROW}"
    if name != "top":
        return text
    if "by" not in operator or not words[1].isdecimal():
        raise unsupported("top inside mv-apply in another form than `top N by ...`")
    order = "".join(operator[operator.index("by") + 1 :]).strip()
    number = "_number = row_number(1, prev(_row) != _row)"
    return f"sort by {_ROW} asc, {order} | extend {number} | where _number <= {words[1]} | project-away _number"


def _assigned(operator: list[str]) -> list[str]:
    items = split(operator, ",")
    starts = [code(items[0])[1:], *(code(item) for item in items[1:])]
    return [words[0] for words in starts if words[1:2] == ["="] and words[2:3] != ["="]]
