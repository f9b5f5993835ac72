"""Programs for people who change this project. `make schema` runs the one that writes the files made from others."""
