"""The history of returned mail: steps of a person, undo, queries and rates."""
