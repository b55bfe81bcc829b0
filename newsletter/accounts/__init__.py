"""The people who run the list: their passwords, how they sign in, how they come to be."""
