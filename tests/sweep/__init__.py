"""The crash sweep: a rollout whose process is killed at every external call, before it and after it."""
