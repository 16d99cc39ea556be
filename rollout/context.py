"""What the rollout wing is given: its doors to the world, the clock included."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cloud.arm import Arm
from cloud.autoscale import Autoscale
from cloud.batch import BatchEndpoints, endpoints_at
from cloud.batch_jobs import BatchJobs
from cloud.blobs import Blobs
from cloud.data_assets import DataAssets
from cloud.datastores import Datastores
from cloud.endpoints import Endpoints
from cloud.hooks import Hooks
from cloud.logs import Logs
from cloud.metrics import Metrics
from cloud.model_files import ModelFiles
from cloud.models import Models
from cloud.prices import Prices
from cloud.queues import Queues
from rollout.freezes import Freezes
from rollout.policies import Policies
from rollout.sinks import Sink
from rollout.store import Store

ROLLOUT_WORK, DRIFT_WORK, EVENT_WORK = "rollout-work", "drift-work", "event-work"


@dataclass(frozen=True)
class Context:
    """Built once per worker by `function_app`."""

    arm: Arm
    """For what only the checks before a rollout ask (`rollout.doctor`)."""
    blobs: Blobs
    queues: Queues
    endpoints: Endpoints
    """The online ones."""
    autoscale: Autoscale
    data_assets: DataAssets
    hooks: Hooks
    batch: BatchEndpoints
    batch_jobs: BatchJobs
    datastores: Datastores
    models: Models
    logs: Logs
    metrics: Metrics
    prices: Prices
    model_files: ModelFiles
    policies: Policies
    store: Store
    freezes: Freezes
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    wait: Callable[[float], None]
    """Let so many seconds pass: for a lease that is about to be given back, and between requests of load."""
    pace: timedelta
    reread: timedelta
    """How long a look may go by what an earlier one read of an endpoint that stands still."""
    alert_budget: timedelta
    """How long the alert webhook may spend on the rollback itself."""
    sinks: tuple[Sink, ...] = ()
    """Where events go; none: nothing is announced."""

    def at(self, endpoint_id: str) -> Endpoints:
        """The service of an endpoint: online and batch ones have the same verbs."""
        return endpoints_at(endpoint_id, self.endpoints, self.batch)
