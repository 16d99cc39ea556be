"""Batch endpoints: a version is tried on a sample beside the default one, becomes the default, or is taken back."""

from __future__ import annotations

from tests.loop import stories
from tests.loop.batch_site import (
    FULL,
    JOBS,
    LONG_BAKE,
    RETIRE,
    SHADOW,
    SMOKE,
    Behaviour,
    batch_sites,
    live_batch_sites,
)
from tests.loop.site import phases
from tests.loop.stories import Story, Told
from tests.loop.world import World, together


def a_version_that_scores_the_sample_like_the_default_one_takes_its_place(world: World) -> None:
    [site] = live_batch_sites(world, 1)
    site.register("2")
    done = site.wait_for("done", version="2")
    assert phases(done) == ["deploying", "testing", "shadow", "full", "retiring", "done"]
    assert site.split() == ({"2": 100}, {})
    assert list(site.deployments().values()) == ["2"]
    assert set(site.jobs().values()) == {"Completed"}
    assert len(site.jobs()) == JOBS
    told = [entry["text"] for entry in done["history"]]
    assert "canary 10 % is left out: a batch endpoint has no traffic to share" in told
    assert any("40 of 40 rows had the same answer" in text for text in told)


def of_four_bad_versions_none_becomes_the_default_one(world: World) -> None:
    sites = live_batch_sites(world, 3, keep="1s")
    [stuck] = live_batch_sites(world, 1, within="3s", keep="1s")
    behaviours = (Behaviour.DIFFERS, Behaviour.ERRS, Behaviour.LEAVES_A_ROW_OUT, Behaviour.NEVER_ENDS)
    together(list(zip([*sites, stuck], behaviours, strict=True)), lambda one: one[0].register("2", one[1]))
    differing, erring, partial = sites
    stopped = differing.wait_for("rolled_back", version="2")
    failed = erring.wait_for("failed", version="2")
    left_out = partial.wait_for("rolled_back", version="2")
    never = stuck.wait_for("failed", version="2")
    for site in (*sites, stuck):
        site.wait_until_deployed("1")

    assert phases(stopped) == ["deploying", "testing", "shadow", "rolling_back", "rolled_back"]
    assert "agreement" in stopped["reasons"][0]
    assert "1 file" in failed["reasons"][0], failed["reasons"]
    assert "of the 40 rows of live's output are missing" in left_out["reasons"][0]
    assert "did not end within 3s" in never["reasons"][0]
    [name] = stuck.jobs()
    stuck.wait_for_job(name, "Canceled")
    assert all(site.split() == ({"1": 100}, {}) for site in (*sites, stuck))


def a_first_version_is_made_from_the_policy_alone(world: World) -> None:
    [other, site] = batch_sites(world, 2)
    other.deploy_by_hand()
    code, environment = other.code_and_environment()
    site.write_policy(
        deployment=(
            f"code: {{path: '{code}', scoring_script: score.py}}",
            f"environment: '{environment}'",
        )
    )
    site.wait_until_in_force()
    site.register("1")
    first = site.wait_for("done", version="1")
    assert phases(first) == ["deploying", "testing", "full", "done"]
    assert site.split() == ({"1": 100}, {})


def a_version_whose_jobs_fail_after_the_switch_is_taken_back_with_one_write(world: World) -> None:
    [site] = live_batch_sites(world, 1, steps=(SMOKE, SHADOW, LONG_BAKE, RETIRE))
    site.register("2", Behaviour.ERRS_LATER)
    site.wait_for("full", version="2")
    site.wait_for_split({"2": 100})
    site.wait_until("the switch was read back", lambda rollout: rollout["since"] is not None)
    site.wait_for_job(site.run_job(f"data/{site.mark}/month.csv"), "Failed")
    back = site.wait_for("rolled_back", version="2")
    assert "1 of 1 jobs since the switch failed" in back["reasons"][0]
    assert site.split() == ({"1": 100}, {})
    asked = [
        entry["text"] for entry in back["history"] if entry["cause"] == "write" and "asked for live" in entry["text"]
    ]
    assert len(asked) == 2, "there, and back"


def a_person_takes_a_version_back_after_it_is_done_while_the_old_deployment_is_up(world: World) -> None:
    [site] = live_batch_sites(world, 1, steps=(SMOKE, SHADOW, FULL))
    site.register("2")
    site.wait_for("done", version="2")
    site.wait_for_split({"2": 100})
    assert site.command("rollback").status_code == 202
    back = site.wait_until("it is back", lambda rollout: rollout["phase"] == "rolled_back")
    assert back["kind"] == "rollback"
    assert site.split() == ({"1": 100}, {})


def a_version_whose_deployment_was_deleted_is_made_and_tried_again_to_go_back_to(world: World) -> None:
    [site] = live_batch_sites(world, 1)
    site.register("2")
    site.wait_for("done", version="2")
    assert list(site.deployments().values()) == ["2"]
    jobs = set(site.jobs())

    answer = site.command("rollback")
    assert answer.status_code == 202
    assert "slow: the deployment must be made again" in answer.text
    back = site.wait_until("it is back", lambda rollout: (rollout["kind"], rollout["phase"]) == ("rollback", "done"))
    assert phases(back) == ["deploying", "testing", "full", "done"]
    assert site.split() == ({"1": 100}, {})
    [job] = set(site.jobs()) - jobs
    assert site.jobs()[job] == "Completed"


@stories.of(
    a_version_that_scores_the_sample_like_the_default_one_takes_its_place,
    of_four_bad_versions_none_becomes_the_default_one,
    a_first_version_is_made_from_the_policy_alone,
    a_version_whose_jobs_fail_after_the_switch_is_taken_back_with_one_write,
    a_person_takes_a_version_back_after_it_is_done_while_the_old_deployment_is_up,
    a_version_whose_deployment_was_deleted_is_made_and_tried_again_to_go_back_to,
)
def test(story: Story, told: Told) -> None:
    told.to_its_end(story)
