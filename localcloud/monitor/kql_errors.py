"""Why a query got no answer, in the service's own words."""

from __future__ import annotations

import re

from localcloud.seams import Json

_NOT_FOUND = {
    r'Referenced column "([^"]+)" not found': "scalar expression",
    r"Table with name (\S+) does not exist": "table or column expression",
}


class QueryRefused(Exception):
    """A reply other than rows: the HTTP status and the body that the service (or this stand-in) gives."""

    def __init__(self, status: int, code: str, message: str, inner_code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.inner_code = status, code, message, inner_code

    def body(self) -> Json:
        """The error reply of the Log Analytics API."""
        if self.inner_code is None:
            return {"error": {"code": self.code, "message": self.message}}
        return {
            "error": {
                "message": "The request had some invalid properties",
                "code": self.code,
                "innererror": {"code": self.inner_code, "message": self.message},
            }
        }


class NoRowsYet(QueryRefused):
    """Here the answer's columns come from its rows, and there are none: the same query may be answered later."""

    def __init__(self, message: str) -> None:
        super().__init__(501, "LocalStandInUnsupported", f"the local Log Analytics cannot run this: {message}")


def semantic(message: str) -> QueryRefused:
    """The query parses but names something that does not exist."""
    return QueryRefused(400, "BadArgumentError", message, "SemanticError")


def unresolved(engine_text: str) -> QueryRefused:
    """The same, from what DuckDB says of it: in Kusto's words, where it says which name."""
    for pattern, what in _NOT_FOUND.items():
        if found := re.search(pattern, engine_text):
            return semantic(f"Failed to resolve {what} named '{found.group(1)}'")
    return semantic(f"Failed to resolve: {engine_text}")


def syntax(message: str) -> QueryRefused:
    """The query does not parse."""
    return QueryRefused(400, "BadArgumentError", message, "SyntaxError")


def unsupported(message: str) -> QueryRefused:
    """Real Kusto may well answer this; the stand-in cannot and does not guess."""
    return QueryRefused(501, "LocalStandInUnsupported", f"the local Log Analytics cannot run this: {message}")
