"""A local Azure Functions host for Python: runs an app's function_app.py without Core Tools.

It runs HTTP, timer, storage queue and Event Grid triggers by the real host's rules (keys, routes, NCRONTAB, single
flight, dequeue counts, poison queues, the Event Grid webhook), so that an app that works here is not surprised on
Azure. Left out on purpose: other triggers, bindings beside triggers and the HTTP answer, scale-out. A function that
needs what is left out is refused when the app is loaded.
"""
