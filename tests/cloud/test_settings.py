"""The app's settings: read from the environment, checked, and documented from the same place."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud.settings import Settings, SettingsError, reference

STORAGE = {
    "UNDERSTUDY_BLOB_URL": "https://a.blob.core.windows.net",
    "UNDERSTUDY_QUEUE_URL": "https://a.queue.core.windows.net",
}


def test_defaults_are_the_public_cloud() -> None:
    settings = Settings.from_env(STORAGE)
    assert settings.arm_url == "https://management.azure.com"
    assert settings.cloud_metadata is None
    assert settings.role == "all"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("UNDERSTUDY_ROLE", "everything"),
        ("UNDERSTUDY_BLOB_URL", "http://not-tls"),
        ("UNDERSTUDY_QUEUE_URL", ""),
        ("UNDERSTUDY_LOOK_SECONDS", "soon"),
        ("UNDERSTUDY_AML_CLOUD_METADATA", "{not json"),
    ],
)
def test_a_wrong_setting_is_named(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=variable):
        Settings.from_env({**STORAGE, variable: value})


def test_the_page_of_settings_is_up_to_date() -> None:
    page = Path(__file__).parents[2] / "docs" / "settings.md"
    assert page.read_text() == reference(), "run `python -m cloud.settings`"
