"""The programme of faults: real processes, hurt on purpose, and an oracle outside their file system that counts what was lost."""
