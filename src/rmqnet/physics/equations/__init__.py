"""One symbolic expression per signal."""
