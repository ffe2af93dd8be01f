"""The composition root in chapters: each module builds one part of the server; core/app.py puts the parts together."""
