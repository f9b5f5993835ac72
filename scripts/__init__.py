"""Programs for whoever changes this project. `make schema` runs the one that writes what is made from other files."""
