"""The rules about returned mail: what a report means, soft failures, probes, alarms."""
