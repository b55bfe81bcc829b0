"""What is kept for how long, and how the rest goes: mails, events and addresses past their time."""
