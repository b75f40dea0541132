"""Maps and regions of a scan by a trained network."""
