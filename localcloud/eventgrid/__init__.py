"""Event Grid: the workspace's system topic, custom topics, and delivery to webhooks at least once.

Events and subscriptions live in memory: a restarted cloud process has forgotten what it had not delivered.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web

from localcloud import secrets_file
from localcloud.eventgrid.arm import SubscriptionsArm
from localcloud.eventgrid.delivery import Delivery
from localcloud.eventgrid.hub import Hub
from localcloud.eventgrid.topics import CustomTopics
from localcloud.eventgrid.webhook import Webhook
from localcloud.seams import Cloud


def setup(app: web.Application, cloud: Cloud) -> None:
    """Add Event Grid's routes and set `cloud.events`."""
    webhook = Webhook()
    delivery = Delivery(cloud, webhook)
    hub = Hub(delivery)
    cloud.events = hub
    SubscriptionsArm(hub, webhook).add_routes(app.router)
    CustomTopics(hub, cloud.settings, secrets_file.load(cloud.folder).eventgrid_key).add_routes(app.router)

    async def running(_: web.Application) -> AsyncIterator[None]:
        context = ssl.create_default_context(cafile=str(cloud.ca_file))
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
            webhook.session = session
            yield
            await delivery.close()

    app.cleanup_ctx.append(running)
