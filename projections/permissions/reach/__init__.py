"""All that a principal could do at a time, how it could raise that, and what a change gave or took."""
