"""Random faults over a whole installation for as long as one likes: `make soak`."""
