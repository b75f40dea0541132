"""DICOM: scans in, maps, regions and measurements out."""
