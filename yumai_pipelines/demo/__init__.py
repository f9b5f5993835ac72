"""`yumai demo`: an empty database filled with made-up data that looks real, and the whole pipeline run over it."""
