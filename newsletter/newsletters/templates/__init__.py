"""The templates of a newsletter's digests: try, check, save and compare them."""
