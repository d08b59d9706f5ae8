"""What techniques there are, and the specs that carry one from agents to synthesis."""
