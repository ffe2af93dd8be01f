"""Media in an S3-compatible bucket. Needs boto3: `pip install trellis-homeserver[s3]`."""

from plugins.s3_media.plugin import S3Media

__all__ = ["S3Media"]
