"""What is public now, and the archive and sitemap made of it."""
