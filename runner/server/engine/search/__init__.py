"""Search: the index of passages, by words and by meaning."""
