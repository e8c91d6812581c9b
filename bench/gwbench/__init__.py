"""The parts of the side-by-side gateway bench."""
