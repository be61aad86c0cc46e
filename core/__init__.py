"""core: what launcher and stages share; it imports nothing of theirs."""
