"""Random lives: a state machine of an installation, checked by an oracle: no email is lost or sent twice."""
