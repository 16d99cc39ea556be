"""The data plane of online endpoints: a scoring front that splits and mirrors traffic, and real model processes.

Three kinds of process meet here. The cloud process (`serving`, `deployment`, `front_process`) decides what runs. The
front (`front`, `gateway`) takes the clients' requests over TLS. One container process per deployment (`container`)
holds the model. Rows for the logs flow back to the cloud process in batches.
"""

from __future__ import annotations

from aiohttp import web

from localcloud.scoring.options import ScoringOptions, options_from_environment
from localcloud.scoring.serving import OnlineServing
from localcloud.seams import Cloud

__all__ = ["OnlineServing", "ScoringOptions", "setup"]


def setup(app: web.Application, cloud: Cloud) -> None:
    """Set `cloud.serving`; the front starts and stops with the app."""
    serving = OnlineServing(cloud, options_from_environment())
    cloud.serving = serving
    cloud.inspections["Scoring requests"] = serving.answers.rows

    async def start(_: web.Application) -> None:
        await serving.start()

    async def stop(_: web.Application) -> None:
        await serving.stop()

    app.on_startup.append(start)
    app.on_cleanup.append(stop)
