"""The retraining job of the demo: a component, its code, and the pipeline that Understudy starts."""
