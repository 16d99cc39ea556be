"""How long Azure's own work takes in one run: shortened (the defaults), about as on Azure, or stepped by hand.

The real durations are of the order seen in the field, not promises: a deployment takes minutes because a machine is
prepared, log rows arrive after minutes, alert rules look once a minute.
"""

from __future__ import annotations

from collections.abc import Mapping

PACES: Mapping[str, Mapping[str, str]] = {
    "short": {},
    "real": {
        "minute_seconds": "60",
        "endpoint_seconds": "30",
        "traffic_seconds": "20",
        "deployment_seconds": "420",
        "delete_seconds": "60",
        "job_seconds": "60",
        "ingestion_seconds": "180",
        "alert_evaluation_seconds": "60",
        "event_delay_seconds": "1",
    },
    "stepped": {"stepped": "all"},
}
"""Settings by pace; what the environment or `--set` says goes over them."""
