"""Azure ML's management plane: workspace, assets, registry, endpoints, deployments, jobs. `setup` adds all of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from localcloud.arm import inspection
from localcloud.arm.asset_files import AssetFiles
from localcloud.arm.assets import Assets
from localcloud.arm.batch_deployments import BatchDeployments
from localcloud.arm.batch_endpoints import BatchEndpoints
from localcloud.arm.batch_jobs import BatchJobs
from localcloud.arm.batch_runner import BatchRunner
from localcloud.arm.datastores import Datastores
from localcloud.arm.job_runner import JobRunner
from localcloud.arm.jobs import Jobs
from localcloud.arm.locations import Locations
from localcloud.arm.models import announce
from localcloud.arm.online_deployments import OnlineDeployments
from localcloud.arm.online_endpoints import OnlineEndpoints
from localcloud.arm.operations import Operations
from localcloud.arm.permissions import Permissions
from localcloud.arm.registries import Registries
from localcloud.arm.run_history import RunHistory
from localcloud.arm.store import Store
from localcloud.arm.throttling import Throttling
from localcloud.arm.uploads import Uploads
from localcloud.arm.workspaces import Workspaces
from localcloud.seams import Cloud


def setup(app: web.Application, cloud: Cloud) -> None:
    """Add the routes; needs `cloud.blobs`, and by the first request `cloud.serving` and `cloud.events`."""
    app.middlewares.append(Throttling(cloud.settings).middleware)
    store = Store()
    operations = Operations(cloud, store.workspace_id)
    datastores = Datastores(cloud)
    files = AssetFiles(cloud, store, datastores)
    assets = Assets(cloud, store, lambda asset, version: announce(cloud, asset, version))
    registries = Registries(cloud, store, assets, files)
    endpoints = OnlineEndpoints(cloud, store, operations)
    deployments = OnlineDeployments(cloud, store, operations, endpoints, files)
    jobs = Jobs(cloud, store, files, JobRunner(cloud, store, files, assets))
    batch_endpoints = BatchEndpoints(cloud, store, operations)
    batch_runner = BatchRunner(cloud, store, files, datastores)
    for part in (
        operations,
        Workspaces(cloud, store),
        datastores,
        Uploads(cloud, store),
        assets,
        registries,
        endpoints,
        deployments,
        batch_endpoints,
        BatchDeployments(cloud, store, operations, batch_endpoints, files),
        BatchJobs(cloud, store, batch_endpoints, files, jobs, batch_runner),
        jobs,
        RunHistory(cloud, store, jobs),
        Locations(cloud, store),
        Permissions(cloud),
    ):
        part.add_routes(app)
    cloud.inspect_deployments = deployments.inspect
    inspection.add_sections(cloud, store, operations)

    async def until_stopped(_app: web.Application) -> AsyncIterator[None]:
        yield
        await jobs.stop()
        await registries.stop()
        await operations.stop()

    app.cleanup_ctx.append(until_stopped)
