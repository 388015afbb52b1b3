"""Why the panel cannot be served."""


class PanelRefused(Exception):
    """The panel cannot be served: one sentence."""
