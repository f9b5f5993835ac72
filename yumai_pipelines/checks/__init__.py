"""The asset checks: what must be true of the data. They read and never repair; a check that breaks raises."""
