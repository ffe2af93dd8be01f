"""Real servers for tests to talk to: ours, started as an administrator would."""
