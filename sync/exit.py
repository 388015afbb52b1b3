"""How a command ends."""

DONE, OUR_FAULT, WRONG_USE, UNDONE = 0, 1, 2, 3
