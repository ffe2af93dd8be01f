"""First-party plugins, one folder each, written against the hooks that third parties use."""
