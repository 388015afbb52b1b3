"""What the box senses, and when it takes a photo."""
