"""The HTTP APIs: blueprints, one module per module of the specification."""
