"""The suppression list as people see it: find and list entries, import a file, undo that, and export."""
