"""The monthly report on the recommendations: one page that needs nothing else, made from the extracts alone."""
