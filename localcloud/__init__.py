"""A local Azure for Azure Machine Learning: the real SDKs talk to it over TLS, and a local Functions host runs the app.

It knows the wire, not the app: nothing here imports from the app's rooms.
"""
