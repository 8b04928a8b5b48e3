"""What a random run of the whole engine does, and what must then hold: the actions, and the model of the source."""
