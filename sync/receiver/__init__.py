"""The reference backend: stores each event once, then acknowledges it."""
