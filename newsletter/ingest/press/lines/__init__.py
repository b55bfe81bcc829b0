"""What a single line of a press release is: furniture, label, contact, organisation."""
