"""The client-server API: one module per module of the specification."""
