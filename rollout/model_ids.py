"""What a model version's id says: `.../models/NAME/versions/VERSION` of ARM, or the azureml:// form of a registry."""

from __future__ import annotations

import re

_ID = re.compile(r"models/([^/:]+)(?:/versions/|:)([^/:]+)$", re.IGNORECASE)


def model_name(model_id: str) -> str:
    """The model's name in an ARM or azureml:// model id; the whole id where it has another form."""
    found = _ID.search(model_id)
    return found[1] if found else model_id


def version_of(model_id: str) -> str:
    """The version in such an id; nothing where it has another form."""
    found = _ID.search(model_id)
    return found[2] if found else ""


def same_model(one: str, other: str) -> bool:
    """Whether two ids are of versions of one model."""
    return model_name(one) == model_name(other)


def same_version(one: str, other: str) -> bool:
    """Whether two model ids, in whichever form, mean the same version of the same model."""
    return bool(version_of(one)) and version_of(one) == version_of(other) and same_model(one, other)
