"""A sample of everything a plugin can do; see the README beside this package."""
