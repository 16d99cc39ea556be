"""What people look at. Templates are filled from plain view models: a page decides nothing and reads nothing."""
