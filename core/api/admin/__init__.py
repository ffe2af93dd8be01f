"""The admin API, at the paths and in the shapes that existing consoles use."""
