"""What a person does to a release: write, edit, hold, delete, put under embargo, mark as urgent."""
