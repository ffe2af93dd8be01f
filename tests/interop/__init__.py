"""Other people's software against our server. It lives in an environment of its own, which TRELLIS_INTEROP_VENV names."""
