"""Trellis, a Matrix homeserver. docs/architecture.md says where each thing lives."""
