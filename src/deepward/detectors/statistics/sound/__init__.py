"""Statistics of sounds: what is done to a voice shows in its finest structure, not in its words."""
