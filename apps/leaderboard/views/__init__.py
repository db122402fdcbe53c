"""The public pages: an address in, one page out. What they show comes from the selectors as it is."""
