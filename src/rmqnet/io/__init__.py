"""Files: NIfTI in BIDS layout, tables, provenance; output folders that appear whole or not at all."""
