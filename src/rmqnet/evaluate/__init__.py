"""Scores of maps and regions against a reference or the truth."""
