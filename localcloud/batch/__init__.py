"""What runs inside a batch scoring job: its own process, which knows a spec file and nothing of the cloud."""
