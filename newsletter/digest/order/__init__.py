"""The sections and the manual order of one issue, until it is prepared."""
