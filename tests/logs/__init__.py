"""Real logs and known wordings, held against the diagnosis."""
