"""Makes up data that looks real, fills an empty database with it, and runs the whole pipeline: `yumai demo`."""
