"""A local Azure Functions host for Python: runs an app's function_app.py without Core Tools.

It runs HTTP, timer, storage queue and Event Grid triggers by the real host's rules (keys, routes, NCRONTAB, single
flight, dequeue counts, poison queues, the Event Grid webhook), so that an app that works here is not surprised on
Azure. Left out on purpose: other triggers, output bindings other than the HTTP answer, scale-out, the 230 seconds that
Azure's load balancer gives an HTTP answer.
"""
