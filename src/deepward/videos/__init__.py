"""Videos: frames by time, faces tracked over them, their sound, and how both go together."""
