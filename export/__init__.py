"""Inference logs into a data set: closed windows of console logs become Parquet files, each row exactly once.

For each endpoint a watermark stands on ingestion time. The next window is asked for whole (halved where Log Analytics
cuts the answer), the answer is kept as a blob, and everything written is a function of that blob and of the halves
that the window before left waiting. So any crash, repeat or race writes the same files again, and the watermark moves
only when all of them are there.
"""
