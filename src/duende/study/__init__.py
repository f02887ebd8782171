"""A user study: people rate dances of several systems without knowing which is whose, in any browser."""
