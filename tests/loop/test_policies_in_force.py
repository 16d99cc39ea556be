"""Which policies are in force after the app was updated, read from the real storage."""

from __future__ import annotations

from datetime import UTC, datetime

from cloud.blobs import Blobs
from cloud.identity import credential
from rollout.policies import Policies
from tests.loop.world import World

NAME = "released-before-the-update"
TEXT = f"""\
name: {NAME}
model: {{name: {NAME}}}
targets:
  - name: local
    subscription_id: 00000000-0000-0000-0000-000000000001
    resource_group: rg
    workspace: ws
    endpoint: {NAME}
steps:
  - full: {{bake: 0s}}
"""


def test_a_policy_that_newer_rules_refuse_stays_in_force_as_it_was_and_the_page_says_why(world: World) -> None:
    """The text is one that an older build took: without a gate that could judge anything."""
    blobs = Blobs(world.env["UNDERSTUDY_BLOB_URL"], credential())
    blobs.write("policies", f"{NAME}.yaml", TEXT.encode())
    blobs.write("state", f"policies/{NAME}.yaml", TEXT.encode())
    try:
        in_force = Policies(blobs, lambda: datetime.now(UTC)).current()
        assert in_force.texts[NAME] == TEXT
        assert "nothing would judge a version before it is released" in in_force.errors[NAME]

        blobs.write("policies", "never-good.yaml", TEXT.replace(NAME, "never-good").encode())
        in_force = Policies(blobs, lambda: datetime.now(UTC)).current()
        assert "never-good" not in in_force.policies
    finally:
        for name in (f"{NAME}.yaml", "never-good.yaml"):
            blobs.delete("policies", name)
        blobs.delete("state", f"policies/{NAME}.yaml")
