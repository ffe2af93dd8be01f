"""Media on the local disk, or on a network file system: the backend in use unless another is configured."""

from plugins.filesystem_media.plugin import FilesystemMedia

__all__ = ["FilesystemMedia"]
