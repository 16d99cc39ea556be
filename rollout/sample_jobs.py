"""Starting a job on a batch target's sample, and where its rows go."""

from __future__ import annotations

from cloud.batch_jobs import Order
from cloud.endpoints import Endpoint
from cloud.models import Place as Workspace
from policy.model import Policy, Target
from rollout.context import Context
from rollout.decision import StartJob
from rollout.place import Place

DATASTORE = "workspaceblobstore"
"""Every workspace's default datastore. Azure writes outputs to datastores on blob storage only."""


def output_of(job: str) -> str:
    """Where the rows of a job lie: a place of its own, because Azure fails a job whose output is there already."""
    return f"azureml://datastores/{DATASTORE}/paths/understudy/{job}/predictions.csv"


def workspace(target: Target) -> Workspace:
    """The target's workspace, in which its sample and outputs are looked up."""
    return Workspace(target.subscription_id, target.resource_group, target.workspace)


def start_job(context: Context, place: Place, policy: Policy, endpoint: Endpoint | None, action: StartJob) -> None:
    """Start the job, by name: it may be asked for again."""
    target = next(one for one in policy.targets if one.name == place.target)
    if endpoint is None or target.sample is None:
        return
    order = Order(action.name, action.deployment, target.sample, output_of(action.name))
    context.batch_jobs.start(endpoint, order)
