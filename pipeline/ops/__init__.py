"""What surrounds a run on this machine: the lock, the token's place, the record of earlier runs."""
