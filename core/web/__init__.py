"""Flask plumbing: the app factory, the worker, authentication, schemas, rate limits and errors."""
