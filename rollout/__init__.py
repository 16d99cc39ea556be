"""Moving traffic: one look at one endpoint reads what is true, decides what follows, and does it.

`decide` is pure; everything that touches Azure is in `observe`, `act` and the store, behind the room `cloud`.
"""
