"""Documents: files, the vector stores made of them, and reading and searching them."""
