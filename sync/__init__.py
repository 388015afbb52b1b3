"""From the box to the town."""
