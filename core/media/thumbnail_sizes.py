"""What thumbnail is wanted, and how large it gets. Apart from imaging, so that Pillow is loaded with the first image."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wanted:
    """What thumbnail is wanted."""

    width: int
    height: int
    is_crop: bool
    is_animated: bool
    is_full: bool = False
    """No thumbnail that is configured is large enough: the original is best, whatever its size."""

    @property
    def form(self) -> str:
        """A short name for it."""
        size = "full" if self.is_full else f"{self.width}x{self.height}"
        return f"{size}-{'crop' if self.is_crop else 'scale'}{'-animated' if self.is_animated else ''}"


@dataclass(frozen=True, slots=True)
class Made:
    """A thumbnail; `content` is None where the file itself is the best one."""

    content_type: str
    content: bytes | None


def target_size(width: int, height: int, wanted: Wanted) -> tuple[int, int]:
    """The size of the whole image before any cropping: within the box for scale, covering it for crop, no larger."""
    ratios = (wanted.width / width, wanted.height / height)
    factor = min(1.0, max(ratios) if wanted.is_crop else min(ratios))
    return max(1, round(width * factor)), max(1, round(height * factor))
