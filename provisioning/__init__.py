"""Who this car is."""
