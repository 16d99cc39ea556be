"""The four versions that people register in the demo. The fifth is made by the retraining job."""
