"""Sessions: threads with an agent of their own, whose runs are started by what is said in them."""
