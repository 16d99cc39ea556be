"""Recent data against the baseline: measured by Evidently, published, reported, and answered with a retraining.

One measurement belongs to one window of the exported data set and has one name, the window's end. Its result file is
written last, so a measurement that crashed is done again; what it sends may then be sent twice, never not at all.
"""
