"""Where lines, ticks and labels of a page's drawings stand. Templates write them down; nothing is styled here."""
