"""The driver's panel: a page for a phone, the lamp, the buzzer, the buttons. It reaches the capture through the database only."""
