"""The edge that speaks HTTP to people: parse, call one stage, commit, answer."""
