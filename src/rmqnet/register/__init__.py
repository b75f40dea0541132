"""Images of one study brought into one place."""
