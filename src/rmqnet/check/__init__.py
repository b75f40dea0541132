"""What is wrong with a study before its maps are believed: pure functions from images to findings."""
