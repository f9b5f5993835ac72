"""The monthly report on the recommendations: one self-contained page, made from the extracts alone."""
