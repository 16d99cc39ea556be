"""`${{inputs.x}}` and `${{outputs.y}}` in a command, and `$[[ ... ]]` around what an absent optional input drops. Pure.

Values are put in as text without quoting, as Azure ML does it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from localcloud.seams import ServingFailed

_PLACEHOLDER = re.compile(r"\$\{\{\s*(inputs|outputs)\.([^\s}]+)\s*\}\}")
_OPTIONAL = re.compile(r"\$\[\[(.*?)\]\]", re.DOTALL)


def fill(command: str, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> str:
    """The command with every placeholder filled; ServingFailed names one that has no value."""
    values = {"inputs": inputs, "outputs": outputs}

    def optional(match: re.Match[str]) -> str:
        present = all(name in values[where] for where, name in _PLACEHOLDER.findall(match.group(1)))
        return match.group(1) if present else ""

    def value(match: re.Match[str]) -> str:
        where, name = match.groups()
        if name not in values[where]:
            raise ServingFailed("UserError", f"The command uses {match.group(0)}, which the job does not give.")
        return values[where][name]

    return _PLACEHOLDER.sub(value, _OPTIONAL.sub(optional, command))
