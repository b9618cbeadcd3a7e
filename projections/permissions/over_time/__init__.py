"""Permission as it came and went: who could, since when, and what was done of what could have been."""
