"""The columns of the credit-card example: what a request holds and what a model predicts.

The names and codes are those of the Azure ML online-endpoint example scenario, so that its users find their own data.
"""

from __future__ import annotations

MODEL = "credit-card-default"
TARGET = "default_payment_next_month"

MONTHS = tuple(range(1, 7))
REPAYMENT = tuple(f"repayment_status_{month}" for month in MONTHS)
BILLS = tuple(f"bill_amount_{month}" for month in MONTHS)
PAYMENTS = tuple(f"payment_amount_{month}" for month in MONTHS)

CATEGORICAL = ("sex", "education", "marriage", *REPAYMENT)
NUMERIC = ("credit_limit", "age", *BILLS, *PAYMENTS)
FEATURES = (*CATEGORICAL, *NUMERIC)

STATUSES = ("no_consumption", "duly_paid", "no_delay", "1_month_delay", "2_months_delay", "3_months_delay")
"""From the best payer to the worst; real rows also hold the rare delays of 4 to 8 months."""
