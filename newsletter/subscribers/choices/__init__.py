"""What subscribers change themselves: topics, frequency, language, pauses and address."""
