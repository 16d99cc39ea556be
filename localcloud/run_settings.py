"""The settings of one run: pace, then environment, then `--set`; checked before anything starts, told by the help."""

from __future__ import annotations

import ast
import difflib
import inspect
import os
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from localcloud import settings
from localcloud.paces import PACES
from localcloud.scoring.options import ScoringOptions, options_from_environment
from localcloud.settings import Settings

_GROUPS: Mapping[str, type] = {"the cloud": Settings, "the scoring front and its containers": ScoringOptions}
_WIDTH = 108
_PREFIX = "LOCALCLOUD_"
#: Keys of `.local/env`, which a shell has that sourced it.
_NOT_SETTINGS = frozenset({"LOCALCLOUD_URL", "LOCALCLOUD_CA"})


@dataclass(frozen=True)
class RunSettings:
    """What `up` was told."""

    cloud: Settings
    scoring: ScoringOptions


def read(pairs: Sequence[str] = (), pace: str = "short", environment: Mapping[str, str] = os.environ) -> RunSettings:
    """`pairs` are `--set`'s NAME=VALUE; ValueError says in one line which value is wrong and what would do."""
    _refuse_unknown(environment)
    given = {_variable(name): value for name, value in PACES[pace].items()} | dict(environment)
    known = [field.name for kind in _GROUPS.values() for field in fields(kind)]
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator or name not in known:
            raise ValueError(f"--set {pair}: write NAME=VALUE with one of: {', '.join(known)}")
        given[_variable(name)] = value
    return RunSettings(settings.from_environment(given), options_from_environment(given))


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    """A misspelt variable would otherwise change nothing and say nothing."""
    known = _NOT_SETTINGS | {_variable(field.name) for kind in _GROUPS.values() for field in fields(kind)}
    for name in sorted(environment):
        if name.startswith(_PREFIX) and name not in known:
            nearest = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {nearest[0]}?" if nearest else "`up --help` lists them."
            raise ValueError(f"{name}: there is no such setting. {hint} Unset it, or correct it.")


def help_text() -> str:
    """Every setting with its default and its meaning, from the one place where they are."""
    lines = ["settings, for --set or as LOCALCLOUD_<NAME> in the environment:"]
    for title, kind in _GROUPS.items():
        meanings = _meanings(kind)
        lines += ["", f"  of {title}:"]
        for field in fields(kind):
            lines.append(f"    {field.name}={field.default}")
            indent = " " * 8
            lines += textwrap.wrap(meanings[field.name], _WIDTH, initial_indent=indent, subsequent_indent=indent)
    return "\n".join(lines)


def _variable(name: str) -> str:
    return f"{_PREFIX}{name.upper()}"


def _meanings(kind: type) -> dict[str, str]:
    """The texts that stand below the fields in the source; empty where a name says it all."""
    (declared,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(declared, ast.ClassDef)
    meanings, last = {}, ""
    for line in declared.body:
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            last = line.target.id
            meanings[last] = ""
        elif last and isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant):
            meanings[last] = " ".join(str(line.value.value).split())
    return meanings
