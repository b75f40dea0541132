"""Training samples: slices, their scaling, augmentation and the split by subject."""
