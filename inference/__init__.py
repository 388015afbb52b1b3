"""From pixels to things with a place."""
