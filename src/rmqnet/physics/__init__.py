"""Signal equations, and what is derived from them."""
