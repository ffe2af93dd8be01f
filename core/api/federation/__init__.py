"""The Server-Server API, one module per chapter."""
