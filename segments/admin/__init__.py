"""Staff pages of the segments: the list, the editor, people and reasons."""

from segments.admin import lifecycle, segment  # noqa: F401
