"""Every call to Azure, one file per service. The only room that imports `azure.*`; it knows nothing of the others.

Whatever Azure answers leaves this room as a plain value, a `Temporary` (try again after so many seconds) or a
`Permanent` (it will not work until somebody changes something; the reason says what).
"""
