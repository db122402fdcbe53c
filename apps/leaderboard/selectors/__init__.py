"""What the public pages read. Nothing here computes what an account is worth: that stands in the points."""
