"""`python -m rollout list | show | promote | ...`: a thin client of the app's HTTP doors. It decides nothing."""
