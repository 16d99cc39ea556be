"""The rollout wing's doors to the world, wired from the settings: for the app, and for commands in a shell."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cloud.arm import Arm
from cloud.autoscale import Autoscale
from cloud.batch import BatchEndpoints
from cloud.batch_jobs import BatchJobs
from cloud.blobs import Blobs
from cloud.data_assets import DataAssets
from cloud.datastores import Datastores
from cloud.endpoints import Endpoints
from cloud.eventgrid import Topic
from cloud.hooks import Hooks
from cloud.insights import Insights
from cloud.logs import Logs
from cloud.metrics import Metrics
from cloud.model_files import ModelFiles
from cloud.models import Models
from cloud.prices import Prices
from cloud.queues import Queues
from cloud.settings import Settings
from cloud.webhooks import Webhook
from rollout.cards import slack, teams
from rollout.context import Context
from rollout.freezes import Freezes
from rollout.policies import Policies
from rollout.sinks import ChatSink, InsightsSink, MetricsSink, Sink, TopicSink
from rollout.store import Store

if TYPE_CHECKING:
    from cloud.identity import Identity


def wired(
    of: Settings,
    identity: Identity,
    *,
    clock: Callable[[], datetime],
    new_id: Callable[[], str],
    wait: Callable[[float], None],
) -> Context:
    """Everything that the wing is given, as `identity`. No call is made yet."""
    arm, blobs = Arm(of.arm_url, of.arm_audience, identity), Blobs(of.blob_url, identity)
    datastores = Datastores(arm, identity, own_account=of.blob_url)
    return Context(
        arm=arm,
        blobs=blobs,
        queues=Queues(of.queue_url, identity),
        endpoints=Endpoints(arm, identity),
        data_assets=DataAssets(arm),
        hooks=Hooks(identity),
        batch=BatchEndpoints(arm, identity),
        batch_jobs=BatchJobs(arm, identity, audience=of.aml_audience),
        datastores=datastores,
        model_files=ModelFiles(arm, datastores),
        autoscale=Autoscale(arm),
        models=Models(identity, cloud_name=of.aml_cloud_name, cloud_metadata=of.cloud_metadata),
        logs=Logs(of.logs_url, identity),
        metrics=Metrics(of.metrics_url, identity),
        prices=Prices(of.prices_url),
        policies=Policies(blobs, clock),
        store=Store(blobs),
        freezes=Freezes(blobs, clock, timedelta(seconds=of.look_seconds)),
        clock=clock,
        new_id=new_id,
        wait=wait,
        pace=timedelta(seconds=of.look_seconds),
        reread=timedelta(seconds=of.reread_seconds),
        alert_budget=timedelta(seconds=of.alert_seconds),
        sinks=_sinks(of, identity),
    )


def _sinks(of: Settings, identity: Identity) -> tuple[Sink, ...]:
    """Where a rollout's events go."""
    found: list[Sink] = []
    if of.events_topic_url:
        found.append(TopicSink(Topic(of.events_topic_url, identity)))
    if of.app_insights:
        insights = Insights(of.app_insights)
        found += [InsightsSink(insights), MetricsSink(insights)]
    if of.teams_webhook:
        found.append(ChatSink(Webhook("Teams", of.teams_webhook), teams, "Teams", of.teams_severity))
    if of.slack_webhook:
        found.append(ChatSink(Webhook("Slack", of.slack_webhook), slack, "Slack", of.slack_severity))
    return tuple(found)
