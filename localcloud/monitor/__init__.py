"""Azure Monitor: Log Analytics' tables and KQL, metrics, ingestion, alerts; and what the deployments cost.

`setup` adds the routes and sets `cloud.tables`; every part is told only what it needs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

from aiohttp import web

from localcloud.monitor.action_groups import Notifier
from localcloud.monitor.alert_conditions import AlertConditions
from localcloud.monitor.alerts import Alerts
from localcloud.monitor.alerts_arm import AlertsArm
from localcloud.monitor.autoscale import AutoscaleSettings
from localcloud.monitor.capacity import CapacitySamples
from localcloud.monitor.costs import Costs
from localcloud.monitor.costs_api import CostsApi
from localcloud.monitor.custom_metrics import CustomMetrics
from localcloud.monitor.data_collection import DataCollection
from localcloud.monitor.data_collection_api import DataCollectionApi
from localcloud.monitor.diagnostics import DiagnosticSettings
from localcloud.monitor.ingestion import IngestionApi
from localcloud.monitor.log_workspace import LogWorkspace
from localcloud.monitor.logs_api import LogsApi
from localcloud.monitor.metric_values import MetricValues
from localcloud.monitor.metrics_api import MetricsApi
from localcloud.monitor.store import TableStore
from localcloud.seams import Cloud


def setup(app: web.Application, cloud: Cloud) -> None:
    """Add Azure Monitor to the cloud's app and set `cloud.tables`."""
    settings = cloud.settings
    kept = timedelta(seconds=settings.rows_kept_seconds)
    diagnostics = DiagnosticSettings(settings)
    store = TableStore(
        timedelta(seconds=settings.ingestion_seconds),
        settings.subscription_id,
        settings.tenant_id,
        faults=cloud.faults,
        kept=kept,
        sent=diagnostics.sends,
    )
    cloud.tables = store
    if cloud.pace.stepped("ingestion"):
        store.hold()
        cloud.pace.on_step("ingestion", store.release)
    capacity = CapacitySamples(cloud)
    custom = CustomMetrics(store.clock, kept)
    metrics = MetricValues(store, capacity, custom, settings.minute_seconds)
    notifier = Notifier(settings.minute_seconds, cloud.ca_file)
    conditions = AlertConditions(store, metrics, settings.mirrored_rows_in_traffic_log)
    alerts = Alerts(cloud, conditions, notifier)
    LogsApi(settings, store, cloud.faults).add_routes(app.router)
    MetricsApi(settings.region, metrics, custom, cloud.faults).add_routes(app.router)
    IngestionApi(settings, store, custom).add_routes(app.router)
    AlertsArm(alerts, notifier).add_routes(app.router)
    AutoscaleSettings(settings.region).add_routes(app.router)
    diagnostics.add_routes(app.router)
    LogWorkspace(settings).add_routes(app.router)
    DataCollectionApi(DataCollection(store), cloud.base_url).add_routes(app.router)
    cost_delay = timedelta(seconds=settings.cost_delay_minutes * settings.minute_seconds)
    CostsApi(Costs(capacity, store.clock, cost_delay)).add_routes(app.router)

    async def background(_: web.Application) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(capacity.run()), asyncio.create_task(_tidy(store, kept / 20))]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await alerts.close()
        store.close()

    app.cleanup_ctx.append(background)


async def _tidy(store: TableStore, every: timedelta) -> None:
    """Keep the store small even when nobody reads from it."""
    while True:
        await asyncio.sleep(every.total_seconds())
        await asyncio.to_thread(store.tidy)
