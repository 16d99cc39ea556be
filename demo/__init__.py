"""The demo: five stories of a model's life, told to a running stack from outside, with the real SDKs and HTTP.

It imports nothing of the product. Whatever it shows, any user's script could do and see in the same way.
"""
