"""Decides what may happen to an account's identities, and writes down what did."""
