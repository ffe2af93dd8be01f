"""Users, registration, login, tokens, devices, profiles and account data."""
