"""Deepward in Dagster: definitions, profiles, and the entries behind `make demo` and `make ui`."""
