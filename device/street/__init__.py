"""A simulated town whose truth is known: scene, things, renderer and what each frame shows."""
