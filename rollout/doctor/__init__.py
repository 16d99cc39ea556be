"""Is everything there that a rollout needs? Checks against the real subscription, before the first rollout and at each.

One file for each group of checks. Every check says what was seen and, when that is not enough, the command that mends
it. `python -m policy doctor` makes all of them; each rollout makes the cheap ones before it starts (`start`).
"""
