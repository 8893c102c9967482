"""Figures: labelled tables in, PNG files out."""
