"""The media repository: uploads, downloads, thumbnails, deletion.

It owns what an `mxc://` URI stands for and the journey of a file from a request to a storage backend and back. Where
bytes are kept is a plugin's matter (`MediaBackend`), how they travel over HTTP that of core.api.
"""
