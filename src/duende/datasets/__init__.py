"""Where clips of dance with music come from."""
