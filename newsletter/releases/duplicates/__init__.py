"""The same release from several places: find it, decide about it, merge it, and undo that."""
