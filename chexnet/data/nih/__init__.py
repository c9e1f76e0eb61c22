"""NIH ChestX-ray14 as it is published, made ready for an import."""
