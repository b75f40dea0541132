"""All stages for all subjects of a study: what is done, by whom, and what has become of it."""
