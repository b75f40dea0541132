"""The nouns: frozen data and tables that every other package speaks in."""
