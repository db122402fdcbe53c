"""A private PostgreSQL server for whoever has none: its programs come as a Python package."""
