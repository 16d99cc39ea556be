"""What every part of a policy has in common: unchangeable, strict about keys, and able to refuse itself at a path.

A rule lives in the part it speaks of, as a validator; so pydantic runs it whatever is wrong elsewhere in the file, and
the user sees every problem at once. Rules tell where they were broken by a path, because pydantic itself would only
name the part.
"""

from __future__ import annotations

from collections.abc import Sized
from typing import Annotated, NoReturn

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

Path = tuple[str | int, ...]


def _filled(value: Sized) -> Sized:
    # Not min_length: pydantic would report an invalid element as a missing one as well.
    return value if len(value) else refuse("must not be empty")


Text = Annotated[str, Field(strict=True, min_length=1)]
Flag = Annotated[bool, Field(strict=True)]
Whole = Annotated[int, Field(strict=True)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
FILLED = AfterValidator(_filled)


class Section(BaseModel):
    """One mapping of the policy file."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)


def refuse(message: str, *, at: Path = (), path: Path | None = None) -> NoReturn:
    """Raise a problem `at` a path below the value being validated, or at a `path` from the top of the file."""
    where: dict[str, Path] = {"at": at} if path is None else {"path": path}
    raise PydanticCustomError("rule", "{problem}", {"problem": message, **where})
