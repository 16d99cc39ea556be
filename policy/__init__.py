"""What the user wrote: the policy file's model, its loading and checking, and the questions others ask of it.

Knows nothing of Azure's APIs, of rollouts or of time; imports nothing of the other rooms.
"""
