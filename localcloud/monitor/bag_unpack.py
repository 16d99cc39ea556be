"""`evaluate bag_unpack(...)`: columns that only the data knows.

Everything to its left is run first and kept as a temporary table; the keys found there become columns (sorted by name,
the JSON type if every value has the same one, else dynamic), and the rest of the query reads that table. With an
OutputSchema, `: (*, share: real)`, the columns are the ones asked for, which is the only form whose columns do not
depend on the rows.
"""

from __future__ import annotations

from dataclasses import dataclass

from localcloud.monitor.kql_errors import NoRowsYet, semantic, unsupported
from localcloud.monitor.kql_stages import Stage, Workshop, quote
from localcloud.monitor.kql_text import call_end, code, next_code, split, unquote

_FROM_JSON = {
    "BIGINT": "BIGINT",
    "UBIGINT": "BIGINT",
    "DOUBLE": "DOUBLE",
    "BOOLEAN": "BOOLEAN",
    "VARCHAR": "VARCHAR",
}
_FROM_KUSTO = {
    "string": "VARCHAR",
    "int": "INTEGER",
    "long": "BIGINT",
    "real": "DOUBLE",
    "double": "DOUBLE",
    "bool": "BOOLEAN",
    "boolean": "BOOLEAN",
    "datetime": "TIMESTAMP",
    "dynamic": "JSON",
}


@dataclass(frozen=True)
class BagUnpack:
    """One call, read from the query's text."""

    column: str
    prefix: str = ""
    schema: tuple[tuple[str, str], ...] | None = None
    """Asked for by an OutputSchema: names and Kusto types; None when the data decides."""
    keeps_others: bool = True
    """Whether the columns beside the bag stay; an OutputSchema without `*` drops them."""


def stage(operator: list[str], _: bool) -> Stage | None:
    """The stage of an `evaluate bag_unpack(...)`; None for another operator."""
    call = _parse(operator)
    return (lambda work, left: _run(work, left, call)) if call is not None else None


def _parse(operator: list[str]) -> BagUnpack | None:
    """The call in `evaluate bag_unpack(...)`; None when this operator is another one."""
    words = code(operator)
    if words[:1] != ["evaluate"]:
        return None
    if words[1:2] != ["bag_unpack"]:
        raise unsupported(f"evaluate {words[1] if len(words) > 1 else ''}")
    opening = operator.index("(")
    closing = call_end(operator, opening)
    arguments = [code(part) for part in split(operator[opening + 1 : closing], ",")]
    if len(arguments) > 2 or any(len(argument) != 1 for argument in arguments):
        raise unsupported("bag_unpack() takes a column and a prefix here")
    prefix = unquote(arguments[1][0]) if len(arguments) == 2 else ""
    colon = next_code(operator, closing + 1)
    if colon == len(operator):
        return BagUnpack(arguments[0][0], prefix)
    if operator[colon] != ":":
        raise unsupported(f"bag_unpack() followed by {operator[colon]!r}")
    return _with_schema(arguments[0][0], prefix, operator[colon + 1 :])


def _with_schema(column: str, prefix: str, text: list[str]) -> BagUnpack:
    opening = text.index("(")
    fields = [code(part) for part in split(text[opening + 1 : call_end(text, opening)], ",")]
    schema: list[tuple[str, str]] = []
    for field in fields:
        if field == ["*"]:
            continue
        if len(field) != 3 or field[1] != ":" or field[2] not in _FROM_KUSTO:
            raise unsupported(f"the OutputSchema column {''.join(field)!r}")
        schema.append((field[0], field[2]))
    return BagUnpack(column, prefix, tuple(schema), keeps_others=["*"] in fields)


def _run(work: Workshop, left: str, call: BagUnpack) -> str:
    source = work.keep(left)
    columns = list(work.columns(source))
    if call.column not in columns:
        raise semantic(f"'evaluate' operator: Failed to resolve scalar expression named '{call.column}'")
    wanted = _requested(call) if call.schema is not None else _found(work, source, call)
    others = [name for name in columns if name != call.column] if call.keeps_others else []
    taken = {name.lower() for name in others}
    fields = [quote(name) for name in others]
    for name, expression in wanted:
        if name.lower() in taken:
            raise semantic(f"evaluate bag_unpack(): column '{name}' already exists in the input; use a prefix")
        taken.add(name.lower())
        fields.append(f"{expression} AS {quote(name)}")
    if not fields:  # Kusto gives a result without columns here; DuckDB has no such thing
        raise NoRowsYet("bag_unpack() of no rows without an OutputSchema leaves no columns")
    return work.make(f'SELECT {", ".join(fields)} FROM "{source}"')


def _requested(call: BagUnpack) -> list[tuple[str, str]]:
    return [
        (name, _extract(call.column, name.removeprefix(call.prefix), _FROM_KUSTO[kind]))
        for name, kind in call.schema or ()
    ]


def _found(work: Workshop, source: str, call: BagUnpack) -> list[tuple[str, str]]:
    bag = f"{quote(call.column)}::JSON"
    keys = work.connection.execute(
        f"SELECT key, list(DISTINCT json_type(bag, '/' || replace(replace(key, '~', '~0'), '/', '~1'))) "
        f"FROM (SELECT bag, unnest(json_keys(bag)) AS key FROM (SELECT {bag} AS bag FROM {quote(source)}) "
        f"WHERE json_type(bag) = 'OBJECT') GROUP BY key ORDER BY key"
    ).fetchall()
    return [(call.prefix + key, _extract(call.column, key, _duckdb_type(set(types)))) for key, types in keys]


def _duckdb_type(json_types: set[str]) -> str:
    kinds = {_FROM_JSON.get(kind, "JSON") for kind in json_types - {"NULL"}}
    return kinds.pop() if len(kinds) == 1 else "JSON"


def _extract(column: str, key: str, kind: str) -> str:
    pointer = "/" + key.replace("~", "~0").replace("/", "~1").replace("'", "''")
    bag = f"{quote(column)}::JSON"
    if kind == "JSON":
        return f"json_extract({bag}, '{pointer}')"
    text = f"json_extract_string({bag}, '{pointer}')"
    return f"coalesce({text}, '')" if kind == "VARCHAR" else f"TRY_CAST({text} AS {kind})"
