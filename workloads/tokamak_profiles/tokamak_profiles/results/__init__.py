"""What a finished job leaves for people: figures and pictures."""
